//! The parameters of `connect`: what is read says the same again.

use gateway_protocol::ConnectParams;
use serde_json::value::RawValue;

target!(|text: &str| {
    let Ok(raw) = RawValue::from_string(text.to_owned()) else {
        return;
    };
    let params = match ConnectParams::parse(Some(&raw)) {
        Ok(params) => params,
        Err(error) => {
            assert!(error.message.starts_with("invalid connect params: "));
            return;
        }
    };
    assert!(params.min_protocol >= 1 && params.max_protocol >= 1);
    if let Some(version) = params.version() {
        assert!((params.min_protocol..=params.max_protocol).contains(&version));
        assert!(gateway_protocol::VERSIONS.contains(&version));
    }
    let written = serde_json::value::to_raw_value(&params).expect("JSON");
    let again = ConnectParams::parse(Some(&written)).expect("what we wrote");
    assert_eq!(again, params);
});
