//! The frames of the long connection, written down a second time: the adapter's own are not trusted to test it.

use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(uint64, required, tag = "1")]
    pub(super) sequence: u64,
    #[prost(uint64, required, tag = "2")]
    pub(super) log: u64,
    #[prost(int32, required, tag = "3")]
    pub(super) service: i32,
    #[prost(int32, required, tag = "4")]
    pub(super) method: i32,
    #[prost(message, repeated, tag = "5")]
    pub(super) headers: Vec<Header>,
    #[prost(string, optional, tag = "6")]
    encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    kind: Option<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(super) payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "9")]
    log_new: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Header {
    #[prost(string, required, tag = "1")]
    pub(super) key: String,
    #[prost(string, required, tag = "2")]
    pub(super) value: String,
}

/// The service that the connection's address names, which pings and events repeat.
pub(super) const SERVICE: i32 = 33_554_678;

impl Frame {
    pub(super) fn new(method: i32, headers: &[(&str, &str)], payload: Option<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(key, value)| Header {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        Self {
            service: SERVICE,
            method,
            headers: headers.collect(),
            payload,
            ..Self::default()
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    pub(super) fn header(&self, key: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.key == key);
        header.map(|header| header.value.as_str())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

/// A frame with an event or a part of one, as the server sends it.
pub fn event_frame(id: &str, sum: &str, seq: &str, payload: &[u8]) -> Vec<u8> {
    let headers = [
        ("type", "event"),
        ("message_id", id),
        ("sum", sum),
        ("seq", seq),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
    ];
    let mut frame = Frame::new(1, &headers, Some(payload.to_vec()));
    (frame.sequence, frame.log) = (1, 7_300_000_000_000_000_000);
    frame.log_new = Some("202611270000000000000000000000".to_owned());
    frame.bytes()
}
