//! `.env`: variables that stand in the state directory.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The variables of a `.env` file. They are secrets: there is no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Dotenv(Vec<(String, Zeroizing<String>)>);

impl Dotenv {
    /// Reads the file; one that does not exist is empty.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            found => found?,
        };
        if !found.is_file() {
            return Err(io::Error::other("this is not a file"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs::File::open(path)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::other("the file is larger than 1 MiB"));
        }
        let text =
            std::str::from_utf8(&bytes).map_err(|_| io::Error::other("this is not UTF-8"))?;
        Ok(Self::parse(text))
    }

    /// Parses `NAME=value` lines as the dotenv package of Node.js does; other lines are skipped.
    ///
    /// Single quotes and backticks keep the value as it is; double quotes turn `\n` and `\r` into line ends;
    /// without quotes a `#` begins a comment. A quoted value may span lines. The last of several lines for one name counts.
    pub(crate) fn parse(text: &str) -> Self {
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut variables = Vec::new();
        while !rest.is_empty() {
            let (variable, length) = entry(rest);
            variables.extend(variable);
            rest = &rest[length..];
        }
        Self(variables)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Zeroizing<String>> {
        let mut variables = self.0.iter().rev();
        let found = variables.find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

type Variable = (String, Zeroizing<String>);

/// The variable that begins here, and the length of its lines.
fn entry(text: &str) -> (Option<Variable>, usize) {
    let line_end = |from: usize| {
        let rest = &text[from..];
        rest.find(['\n', '\r'])
            .map_or(text.len(), |at| from + at + 1)
    };
    let line = &text[..line_end(0)];
    let Some((name, _)) = line.split_once('=') else {
        return (None, line.len());
    };
    let value_at = name.len() + 1;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    if !is_name(name) {
        return (None, line.len());
    }
    let value = &text[value_at..];
    let blanks = value.len() - value.trim_start_matches([' ', '\t']).len();
    let quoted = &value[blanks..];
    if let Some(quote) = quoted
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))
        && let Some(length) = closing(&quoted[1..], quote)
    {
        let inner = &quoted[1..=length];
        let value = match quote {
            '"' => inner.replace("\\n", "\n").replace("\\r", "\r"),
            _ => inner.to_owned(),
        };
        let end = line_end(value_at + blanks + length + 2);
        return (Some((name.to_owned(), value.into())), end);
    }
    let value = &line[value_at..];
    let value = value.split('#').next().unwrap_or_default().trim();
    (Some((name.to_owned(), value.to_owned().into())), line.len())
}

/// Where the closing quote is; one after a backslash does not close.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return Some(at);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    None
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    is_first && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_node_reads_them() {
        let dotenv = Dotenv::parse(
            "\u{feff}# a comment\r\nPLAIN=one # not this\r\nexport SPACED = two words \n\
             DOUBLE=\"a\\nb # c\" # d\nSINGLE='a\\nb'\nTICKS=`it's \"so\"`\nLINES=\"first\nsecond\"\n\
             EMPTY=\nOPEN='half\nnot a variable\n1BAD=x\nTWICE=1\nTWICE=2\nQUOTE=\"a\\\"b\"",
        );
        for (name, value) in [
            ("PLAIN", Some("one")),
            ("SPACED", Some("two words")),
            ("DOUBLE", Some("a\nb # c")),
            ("SINGLE", Some("a\\nb")),
            ("TICKS", Some("it's \"so\"")),
            ("LINES", Some("first\nsecond")),
            ("EMPTY", Some("")),
            ("OPEN", Some("'half")),
            ("1BAD", None),
            ("TWICE", Some("2")),
            ("QUOTE", Some("a\\\"b")),
        ] {
            assert_eq!(
                dotenv.get(name).map(|value| value.as_str()),
                value,
                "{name}"
            );
        }
    }

    #[test]
    fn files_that_cannot_be_read_are_errors_and_missing_ones_are_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        assert!(Dotenv::read(&path).unwrap().get("A").is_none());
        fs::write(&path, "A=1").unwrap();
        assert_eq!(Dotenv::read(&path).unwrap().get("A").unwrap().as_str(), "1");
        for bytes in [&b"A=\xff"[..], &vec![b'#'; (1 << 20) + 1]] {
            fs::write(&path, bytes).unwrap();
            assert!(Dotenv::read(&path).is_err());
        }
        assert!(Dotenv::read(dir.path()).is_err());
    }
}
