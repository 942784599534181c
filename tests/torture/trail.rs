//! What a worker process leaves in the log: one line for each thing that a function does, in one write each.
//!
//! A line is `<millis> <who> <what> <run> …`. For a worker `who` is `<pid>.<drive>`, where a drive is one call of a
//! function's body; for the test it is `test`. Every execution of a step returns a value of its own, the *mark*, so that
//! the log shows whose execution was recorded.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belts::{Clock as _, Context, SystemClock};

use crate::random::Random;

pub(crate) const LOG: &str = "effects.log";

/// The log and the dice of this process.
#[derive(Debug)]
pub(crate) struct Process {
    directory: PathBuf,
    log: File,
    dice: Mutex<Random>,
    drives: AtomicU32,
    marks: AtomicU32,
}

/// Of this process, where it is a worker.
static PROCESS: OnceLock<&Process> = OnceLock::new();

impl Process {
    /// Opens the log in `directory`.
    pub(crate) fn open(directory: &Path, seed: u64) -> io::Result<&'static Self> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(directory.join(LOG))?;
        // It is needed until the process ends, which opens one or a few.
        Ok(Box::leak(Box::new(Self {
            directory: directory.to_owned(),
            log,
            dice: Mutex::new(Random::new(seed)),
            drives: AtomicU32::new(0),
            marks: AtomicU32::new(0),
        })))
    }

    /// Makes this the log of the functions that this process drives.
    pub(crate) fn install(&'static self) {
        PROCESS.get_or_init(|| self);
    }

    fn this() -> &'static Self {
        PROCESS
            .get()
            .expect("a worker opens the log before it drives anything")
    }

    /// Appends a line in one write, which the system keeps apart from the writes of other processes.
    pub(crate) fn write(&self, who: &str, what: &str) {
        let line = format!("{} {who} {what}\n", SystemClock.now().as_millis());
        (&self.log)
            .write_all(line.as_bytes())
            .expect("the log can be written");
    }

    fn millis(&self, below: u64) -> Duration {
        self.dice
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .millis(0..below)
    }
}

/// The hook for runs that failed for good.
pub(crate) fn note_failure(run: &str) {
    Process::this().write(&format!("{}.0", std::process::id()), &format!("hook {run}"));
}

/// One drive of a run, as the log has it.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    run: String,
    who: String,
}

impl Trail {
    /// Notes that the body of a function begins.
    pub(crate) fn start(cx: &Context, key: &str) -> Self {
        let drive = Process::this().drives.fetch_add(1, Ordering::Relaxed) + 1;
        let trail = Self {
            run: cx.run_id().to_owned(),
            who: format!("{}.{drive}", std::process::id()),
        };
        trail.write(&format!("start {} {} {key}", trail.run, cx.function_id()));
        trail
    }

    fn write(&self, what: &str) {
        Process::this().write(&self.who, what);
    }

    fn note(&self, what: &str, step: &str, mark: &str) {
        self.write(&format!("{what} {} {step} {mark}", self.run));
    }

    /// Notes that a step's expression runs; answers the mark of this execution.
    pub(crate) async fn begin(&self, step: &str) -> String {
        let process = Process::this();
        let mark = format!(
            "{}:{}",
            self.who,
            process.marks.fetch_add(1, Ordering::Relaxed)
        );
        self.note("begin", step, &mark);
        let work = process.millis(80);
        SystemClock.sleep_until(SystemClock.now().after(work)).await;
        mark
    }

    pub(crate) fn done(&self, step: &str, mark: String) -> String {
        self.note("done", step, &mark);
        mark
    }

    /// An expression that succeeds.
    pub(crate) async fn act(&self, step: &str) -> String {
        let mark = self.begin(step).await;
        self.done(step, mark)
    }

    /// What undoes a step.
    pub(crate) async fn undo(self, step: &str) -> io::Result<()> {
        self.act(&format!("undo:{step}")).await;
        Ok(())
    }

    /// An expression that fails, with the mark as the last word of the error.
    pub(crate) async fn fail(&self, step: &str) -> Result<String, io::Error> {
        let mark = self.begin(step).await;
        self.note("fail", step, &mark);
        Err(io::Error::other(format!("on purpose {mark}")))
    }

    /// An expression that panics once, fails once, and then succeeds.
    pub(crate) async fn stumble(&self, step: &str) -> Result<String, io::Error> {
        if self.first_time("panic") {
            let failed = self.fail(step).await;
            panic!("{failed:?}");
        }
        if self.first_time("fail") {
            self.fail(step).await
        } else {
            Ok(self.act(step).await)
        }
    }

    /// Whether nobody has asked this of the run before, in any process.
    pub(crate) fn first_time(&self, what: &str) -> bool {
        let path = Process::this()
            .directory
            .join(format!("once-{}-{what}", self.run));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .is_ok()
    }

    /// Notes that a step returned to the function's body.
    pub(crate) fn returned(&self, step: &str, value: String) -> String {
        self.note("returned", step, &value);
        value
    }

    /// Notes that a sleep returned.
    pub(crate) fn slept(&self, step: &str) {
        self.note("returned", step, "slept");
    }

    /// Notes that a step failed for good; answers the mark of the execution whose failure was recorded.
    pub(crate) fn failed(&self, step: &str, error: &belts::Error) -> String {
        let report = error.report();
        self.returned(
            step,
            report.rsplit(' ').next().unwrap_or_default().to_owned(),
        )
    }

    /// Notes the output, which the body returns next.
    pub(crate) fn end(&self, values: &[String]) -> String {
        let output = values.join("+");
        self.write(&format!("end {} {output}", self.run));
        output
    }

    /// Notes that the body returns an error next.
    pub(crate) fn end_failed(&self) {
        self.write(&format!("end {} failed", self.run));
    }
}
