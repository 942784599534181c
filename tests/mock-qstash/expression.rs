//! The little language of `Upstash-Retry-Delay`: arithmetic over `retried`, in milliseconds.

use std::{fmt, time::Duration};

/// A checked expression such as `pow(2, retried) * 1000`.
#[derive(Clone, PartialEq, Eq)]
pub struct Expression(String);

impl Expression {
    /// Longer ones are refused, so that brackets cannot go deeper than the stack.
    const LONGEST: usize = 500;

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > Self::LONGEST {
            return Err("the expression is too long".to_owned());
        }
        evaluate(text, 0.0)?;
        Ok(Self(text.to_owned()))
    }

    /// The expression as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How long to wait before the retry that comes after `retried` earlier ones; between nothing and a day.
    pub fn delay(&self, retried: u32) -> Duration {
        let millis = evaluate(&self.0, f64::from(retried)).unwrap_or(0.0);
        Duration::from_secs_f64(millis.clamp(0.0, 86_400_000.0) / 1_000.0)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn evaluate(text: &str, retried: f64) -> Result<f64, String> {
    let mut reader = Reader {
        rest: text,
        retried,
    };
    let value = reader.sum()?;
    match reader.peek() {
        None if value.is_nan() => Err("the result is not a number".to_owned()),
        None => Ok(value),
        Some(next) => Err(format!("unexpected `{next}`")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    retried: f64,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        Err(format!("`{wanted}` is missing"))
    }

    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value += self.product()?;
            } else if self.take('-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.signed()?;
        loop {
            if self.take('*') {
                value *= self.signed()?;
            } else if self.take('/') {
                value /= self.signed()?;
            } else if self.take('%') {
                value %= self.signed()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Result<f64, String> {
        if self.take('-') {
            return Ok(-self.signed()?);
        }
        self.value()
    }

    fn value(&mut self) -> Result<f64, String> {
        if self.take('(') {
            let value = self.sum()?;
            self.expect(')')?;
            return Ok(value);
        }
        self.peek();
        let word = self.word();
        match word.chars().next() {
            None => Err("a number is missing".to_owned()),
            Some(first) if first.is_ascii_digit() || first == '.' => {
                word.parse().map_err(|_| format!("`{word}` is no number"))
            }
            Some(_) if word == "retried" => Ok(self.retried),
            Some(_) => self.call(&word),
        }
    }

    fn word(&mut self) -> String {
        let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_';
        let (word, rest) = self
            .rest
            .split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word.to_owned()
    }

    fn call(&mut self, function: &str) -> Result<f64, String> {
        self.expect('(')
            .map_err(|_| format!("`{function}` is unknown"))?;
        let mut arguments = vec![self.sum()?];
        while self.take(',') {
            arguments.push(self.sum()?);
        }
        self.expect(')')?;
        match (function, arguments.as_slice()) {
            ("pow", [x, y]) => Ok(x.powf(*y)),
            ("min", [x, y]) => Ok(x.min(*y)),
            ("max", [x, y]) => Ok(x.max(*y)),
            ("exp", [x]) => Ok(x.exp()),
            ("sqrt", [x]) => Ok(x.sqrt()),
            ("abs", [x]) => Ok(x.abs()),
            ("floor", [x]) => Ok(x.floor()),
            ("ceil", [x]) => Ok(x.ceil()),
            ("round", [x]) => Ok(x.round()),
            _ => Err(format!(
                "no function `{function}` takes {} values",
                arguments.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str, retried: u32) -> u128 {
        Expression::parse(text).unwrap().delay(retried).as_millis()
    }

    #[test]
    fn the_documented_expressions_give_the_documented_delays() {
        assert_eq!(millis("1000", 2), 1_000);
        assert_eq!(millis("1000 * (1 + retried)", 2), 3_000);
        assert_eq!(millis("pow(2, retried) * 1000", 3), 8_000);
        assert_eq!(millis("max(1000, pow(2, retried) * 100)", 5), 3_200);
    }

    #[test]
    fn every_function_and_operator_is_known() {
        assert_eq!(millis("exp(0) + sqrt(16) - abs(-2)", 0), 3);
        assert_eq!(millis("floor(1.9) + ceil(1.1) * round(2.5)", 0), 7);
        assert_eq!(millis("min(7, 9) % 4 / 3", 0), 1);
        assert_eq!(millis("-(2 - 5)", 0), 3);
    }

    #[test]
    fn a_delay_is_never_negative_and_never_more_than_a_day() {
        assert_eq!(millis("0 - 5", 0), 0);
        assert_eq!(millis("exp(1000)", 0), 86_400_000);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in ["", "1 +", "pow(2)", "tried", "1 2", "(1", "sin(1)", "0 / 0"] {
            assert!(Expression::parse(wrong).is_err(), "{wrong}");
        }
    }
}
