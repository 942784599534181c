//! JSON as it is shown: with line breaks, and without what is hidden. Numbers and the order of fields stay as they were written.

use std::fmt::Write as _;

use super::hidden::Hidden;
use crate::plain::steers;

/// In place of a value that is hidden.
const REDACTED: &str = "\"[redacted]\"";
/// The deepest that lines are indented.
const DEEPEST: usize = 24;

/// The value without what is hidden; on several lines, or on one.
pub(super) fn written(json: &str, hidden: &Hidden, lines: bool) -> String {
    let mut writer = Writer {
        out: String::with_capacity(json.len()),
        objects: Vec::new(),
        lines,
    };
    let mut rest = json.trim_start();
    let mut is_key = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' | '[' => {
                let inner = rest[1..].trim_start();
                writer.open(first, inner.starts_with(['}', ']']));
                is_key = first == '{';
                1
            }
            '}' | ']' => {
                writer.close(first);
                1
            }
            ',' => {
                writer.out.push(',');
                writer.line();
                is_key = writer.objects.last() == Some(&'{');
                1
            }
            ':' => {
                writer.out.push_str(if lines { ": " } else { ":" });
                is_key = false;
                1
            }
            '"' => {
                let length = string(rest);
                writer.text(&rest[..length]);
                if is_key && hidden.has(&rest[..length]) {
                    writer.out.push_str(if lines { ": " } else { ":" });
                    writer.out.push_str(REDACTED);
                    is_key = false;
                    let behind = rest[length..].trim_start();
                    let value = behind.strip_prefix(':').unwrap_or(behind).trim_start();
                    rest = value[self::value(value)..].trim_start();
                    continue;
                }
                length
            }
            _ => {
                let length = literal(rest);
                writer.text(&rest[..length]);
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    writer.out
}

struct Writer {
    out: String,
    /// The brackets that are open.
    objects: Vec<char>,
    lines: bool,
}

impl Writer {
    fn open(&mut self, bracket: char, is_empty: bool) {
        self.out.push(bracket);
        self.objects.push(bracket);
        if !is_empty {
            self.line();
        }
    }

    fn close(&mut self, bracket: char) {
        self.objects.pop();
        if !self.out.ends_with(['{', '[']) {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.lines {
            self.out.push('\n');
            let depth = self.objects.len().min(DEEPEST);
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    /// A string or a literal, with whatever steers written out.
    fn text(&mut self, text: &str) {
        for letter in text.chars() {
            if steers(letter) {
                // Writing to a string does not fail. All of these have four digits.
                let _ = write!(self.out, "\\u{:04x}", u32::from(letter));
            } else {
                self.out.push(letter);
            }
        }
    }
}

/// The length of the string with which a text begins.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a number or a word.
fn literal(text: &str) -> usize {
    let end =
        text.find(|letter: char| matches!(letter, ',' | ']' | '}' | ':') || letter.is_whitespace());
    end.unwrap_or(text.len()).max(1)
}

/// The length of the value with which a text begins.
fn value(text: &str) -> usize {
    let (mut place, mut depth) = (0, 0_usize);
    while let Some(byte) = text.as_bytes().get(place) {
        place += match byte {
            b'"' => string(&text[place..]),
            b'{' | b'[' => {
                depth += 1;
                1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                1
            }
            b',' | b':' => 1,
            byte if byte.is_ascii_whitespace() => 1,
            _ => literal(&text[place..]),
        };
        if depth == 0 {
            break;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden() -> Hidden {
        let mut hidden = Hidden::default();
        hidden.add(["password", "card_number"]);
        hidden
    }

    #[test]
    fn fields_are_hidden_wherever_they_stand_and_however_they_are_written() {
        for (json, shown) in [
            (
                r#"{"password":"a","b":1}"#,
                r#"{"password":"[redacted]","b":1}"#,
            ),
            (
                r#"[{"cardNumber":{"x":["}",{}]}},{"CARD-NUMBER":12,"y":[1,2]}]"#,
                r#"[{"cardNumber":"[redacted]"},{"CARD-NUMBER":"[redacted]","y":[1,2]}]"#,
            ),
            // The same name, with a letter of it escaped.
            (
                r#"{"\u0070assword" : [ "x" ] , "b":"password"}"#,
                r#"{"\u0070assword":"[redacted]","b":"password"}"#,
            ),
            (
                r#"{"a":{"password":null}}"#,
                r#"{"a":{"password":"[redacted]"}}"#,
            ),
            (
                r#"{"a\"password":1,"password\\":2}"#,
                r#"{"a\"password":1,"password\\":2}"#,
            ),
            (r#""password""#, r#""password""#),
        ] {
            assert_eq!(written(json, &hidden(), false), shown);
            let read = |json: &str| serde_json::from_str::<serde_json::Value>(json);
            read(&written(json, &hidden(), true)).expect("it is JSON");
        }
    }

    #[test]
    fn numbers_and_the_order_of_fields_stay_and_what_steers_is_written_out() {
        let json = "{\"z\": 12345678901234567890123, \"a\": 1.10, \"e\": [], \"o\": {}, \"t\": \"\u{202e}x\"}";
        let shown = written(json, &Hidden::default(), true);
        assert_eq!(
            shown,
            "{\n  \"z\": 12345678901234567890123,\n  \"a\": 1.10,\n  \"e\": [],\n  \"o\": {},\n  \"t\": \"\\u202ex\"\n}"
        );
    }
}
