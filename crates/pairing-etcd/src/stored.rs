//! Records as values: the JSON of a [`Record`].

use pairing_core::Record;

/// Serialises a record.
pub(crate) fn encode(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(record)
}

/// Why a value is not the expected record. The text repeats nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("its value is no record")]
    Malformed,
    #[error("its value is a record that belongs under another key")]
    Misplaced,
}

/// Parses the record under `path`.
pub(crate) fn decode(path: &str, value: &[u8]) -> Result<Record, DecodeError> {
    // The parser's error repeats parts of the value.
    let record: Record = serde_json::from_slice(value).map_err(|_| DecodeError::Malformed)?;
    if record.key().path() == path {
        Ok(record)
    } else {
        Err(DecodeError::Misplaced)
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::store::AllowEntry;
    use pairing_core::{AccountId, ChannelId, Channels};

    use super::*;

    fn allow() -> Record {
        let channel = ChannelId::parse("telegram").unwrap();
        let entry = Channels::builtin()
            .get(&channel)
            .unwrap()
            .sender("12345")
            .unwrap();
        Record::Allow(AllowEntry {
            account: AccountId::parse("default").unwrap(),
            channel,
            entry,
            written: None,
            grant: None,
        })
    }

    #[test]
    fn a_record_comes_back() {
        let value = encode(&allow()).unwrap();
        let expected =
            r#"{"kind":"allow","channel":"telegram","account":"default","entry":"12345"}"#;
        assert_eq!(std::str::from_utf8(&value).unwrap(), expected);
        assert_eq!(decode("allow/telegram/default/12345", &value), Ok(allow()));
    }

    #[test]
    fn what_belongs_elsewhere_counts_for_nobody() {
        let value = encode(&allow()).unwrap();
        let elsewhere = decode("allow/telegram/work/12345", &value);
        assert_eq!(elsewhere, Err(DecodeError::Misplaced));
    }

    #[test]
    fn a_fault_repeats_nothing() {
        let secret = b"{\"kind\":\"allow\",\"secret\":1}";
        let error = decode("allow/x/y/z", secret).unwrap_err();
        assert_eq!(error, DecodeError::Malformed);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
