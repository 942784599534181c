//! What the suites share: the one list of the cases, and how each is run.

/// Generates `Case`, `CASES`, `run`, `run_all` and the test macro from the one list of a suite's cases.
macro_rules! suite {
    (
        $dollar:tt $suite:ident, $what:literal, $factory:ident, $tests:ident, $evaluated:literal
        { $($module:ident { $($name:ident)* })* }
    ) => {
        type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

        /// One rule and its test.
        #[derive(Debug, Clone, Copy)]
        pub struct Case {
            /// The rule's name, as in the contract.
            pub name: &'static str,
            run: fn(Bench) -> Running,
        }

        impl Case {
            /// Tests the rule.
            ///
            /// # Errors
            #[doc = concat!("The ", $what, " failed.")]
            ///
            /// # Panics
            #[doc = concat!("The ", $what, " broke the rule.")]
            pub async fn run(&self, fresh: impl $factory) -> Result<()> {
                (self.run)(Bench::new(Box::new(fresh)).await?).await
            }
        }

        /// Tests every rule, each on a fresh one.
        ///
        /// # Panics
        #[doc = concat!("The ", $what, " broke a rule or failed; the text names every such rule.")]
        pub async fn run_all<S: $factory>(mut fresh: impl FnMut() -> S) {
            let mut broken = Vec::new();
            for case in CASES {
                let fresh = fresh();
                match tokio::spawn(async move { case.run(fresh).await }).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => broken.push(format!("{}: {}", case.name, error.report())),
                    Err(panic) => broken.push(format!("{}: {panic}", case.name)),
                }
            }
            assert!(
                broken.is_empty(),
                "the {} breaks {} rules:\n{}",
                $what,
                broken.len(),
                broken.join("\n")
            );
        }

        #[doc = concat!("Tries the rule of that name; for [`", stringify!($tests), "!`](crate::", stringify!($tests), ").")]
        ///
        /// # Panics
        #[doc = concat!("The ", $what, " broke the rule or failed, or there is no such rule.")]
        pub async fn run(name: &str, fresh: impl $factory) {
            let case = CASES.iter().find(|case| case.name == name);
            let case = case.unwrap_or_else(|| panic!("there is no rule `{name}`"));
            if let Err(error) = case.run(fresh).await {
                panic!("the {} failed in `{name}`: {}", $what, error.report());
            }
        }

        /// Every rule.
        pub const CASES: &[Case] = &[$($(
            Case { name: stringify!($name), run: |bench| Box::pin($module::$name(bench)) },
        )*)*];

        #[doc = $evaluated]
        #[macro_export]
        macro_rules! $tests {
            // An attribute could also start an expression, so it has an arm of its own.
            (@tests ($dollar($dollar attribute:meta)?) $dollar fresh:expr) => {
                $($(
                    $dollar(#[$dollar attribute])?
                    #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $name() {
                        $crate::conformance::$suite::run(stringify!($name), $dollar fresh).await;
                    }
                )*)*
            };
            (#[$dollar attribute:meta] $dollar fresh:expr) => {
                $crate::$tests!(@tests ($dollar attribute) $dollar fresh);
            };
            ($dollar fresh:expr) => {
                $crate::$tests!(@tests () $dollar fresh);
            };
        }
    };
}
