//! Records as values: the JSON of a [`Record`].

use pairing_core::Record;

/// Returns the value that is stored for a record.
pub(crate) fn encode(record: &Record) -> Result<String, serde_json::Error> {
    serde_json::to_string(record)
}

/// The reason that a value is not the record it should be; the text repeats nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("its value is no record")]
    Malformed,
    #[error("its value is a record that belongs under another key")]
    Misplaced,
}

/// Returns the record stored under `path`.
pub(crate) fn decode(path: &str, value: &str) -> Result<Record, DecodeError> {
    // The parser's message would repeat what it found.
    let record: Record = serde_json::from_str(value).map_err(|_| DecodeError::Malformed)?;
    if record.key().path() == path {
        Ok(record)
    } else {
        Err(DecodeError::Misplaced)
    }
}

/// Returns the path for an error or a log: without the code, if it contains one.
pub(crate) fn shown(path: &str) -> String {
    match path.strip_prefix("code/") {
        Some(rest) => {
            let channel = rest.split('/').next().unwrap_or_default();
            format!("code/{channel}/…")
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::store::{AllowEntry, Key};
    use pairing_core::{AccountId, ChannelId, Channels, PairingCode};

    use super::*;

    fn allow() -> Record {
        let channel = ChannelId::parse("telegram").unwrap();
        let entry = Channels::builtin()
            .get(&channel)
            .unwrap()
            .sender("12345")
            .unwrap();
        Record::Allow(AllowEntry {
            account: AccountId::default(),
            channel,
            entry,
            written: None,
            grant: None,
        })
    }

    #[test]
    fn a_record_comes_back() {
        let value = encode(&allow()).unwrap();
        assert_eq!(decode("allow/telegram/default/12345", &value), Ok(allow()));
        assert_eq!(
            decode("allow/telegram/work/12345", &value),
            Err(DecodeError::Misplaced)
        );
    }

    #[test]
    fn a_fault_repeats_nothing() {
        let error = decode("allow/x/y/z", r#"{"kind":"allow","secret":1}"#).unwrap_err();
        assert_eq!(error, DecodeError::Malformed);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        let code = PairingCode::from_entropy([7; 8]);
        let key = Key::Code {
            channel: ChannelId::parse("telegram").unwrap(),
            code,
        };
        assert_eq!(shown(&key.path()), "code/telegram/…");
    }
}
