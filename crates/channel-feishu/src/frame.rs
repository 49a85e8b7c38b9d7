//! The frames of the long connection, which are protocol buffers (`pbbp2.Frame` in Feishu's own clients).

use prost::Message as _;

/// The longest frame, in bytes.
pub(crate) const LONGEST: usize = 4 << 20;

/// A frame that is about the connection.
const CONTROL: i32 = 0;
/// A frame with an event, or with the answer to one.
const DATA: i32 = 1;

/// A frame. Feishu's clients refuse one that lacks a required field, even if it is zero.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Frame {
    #[prost(uint64, required, tag = "1")]
    seq_id: u64,
    #[prost(uint64, required, tag = "2")]
    log_id: u64,
    #[prost(int32, required, tag = "3")]
    service: i32,
    #[prost(int32, required, tag = "4")]
    method: i32,
    #[prost(message, repeated, tag = "5")]
    headers: Vec<Header>,
    #[prost(string, optional, tag = "6")]
    payload_encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    payload_type: Option<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "9")]
    log_id_new: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(string, required, tag = "1")]
    key: String,
    #[prost(string, required, tag = "2")]
    value: String,
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer to a ping. Its payload may hold new settings of the connection.
    Pong,
    /// An event, or a part of one.
    Event,
    /// Something else.
    Other,
}

impl Frame {
    /// Reads a frame; `None` where the bytes are none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    /// A ping.
    pub(crate) fn ping(service: i32) -> Self {
        Self {
            service,
            method: CONTROL,
            headers: vec![Header {
                key: "type".to_owned(),
                value: "ping".to_owned(),
            }],
            ..Self::default()
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match (self.method, self.header("type")) {
            (CONTROL, Some("pong")) => Kind::Pong,
            (DATA, Some("event")) => Kind::Event,
            _ => Kind::Other,
        }
    }

    pub(crate) fn header(&self, key: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|header| header.key == key)
            .map(|header| header.value.as_str())
    }

    /// The payload, which is taken out.
    pub(crate) fn take_payload(&mut self) -> Vec<u8> {
        self.payload.take().unwrap_or_default()
    }

    /// The answer that acknowledges an event: the same frame, with another payload.
    pub(crate) fn acknowledged(mut self) -> Self {
        // How long it took, in milliseconds: nothing is done before it is acknowledged.
        self.headers.push(Header {
            key: "biz_rt".to_owned(),
            value: "0".to_owned(),
        });
        self.payload = Some(br#"{"code":200}"#.to_vec());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_has_every_required_field() {
        let expected = [
            0x08, 0, 0x10, 0, 0x18, 7, 0x20, 0, 0x2a, 12, 0x0a, 4, b't', b'y', b'p', b'e', 0x12, 4,
            b'p', b'i', b'n', b'g',
        ];
        assert_eq!(Frame::ping(7).bytes(), expected);
        assert_eq!(Frame::parse(&expected), Some(Frame::ping(7)));
        assert_eq!(Frame::ping(7).kind(), Kind::Other);
    }

    #[test]
    fn an_answer_repeats_what_it_answers_except_for_the_payload() {
        let header = |key: &str, value: &str| Header {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let frame = Frame {
            seq_id: 1,
            log_id: u64::MAX,
            service: 3,
            method: DATA,
            headers: vec![header("type", "event"), header("message_id", "x")],
            payload_encoding: Some("gzip".to_owned()),
            payload_type: Some("json".to_owned()),
            payload: Some(b"{}".to_vec()),
            log_id_new: Some("l".to_owned()),
        };
        assert_eq!(frame.kind(), Kind::Event);
        let mut answer = frame.clone().acknowledged();
        assert_eq!(answer.header("biz_rt"), Some("0"));
        answer.headers.pop();
        assert_eq!(answer.take_payload(), br#"{"code":200}"#);
        answer.payload = frame.payload.clone();
        assert_eq!(answer, frame);
    }

    #[test]
    fn half_a_frame_and_other_bytes_are_no_frame() {
        let whole = Frame::ping(7).acknowledged().bytes();
        for end in 1..whole.len() {
            // Where it ends between two fields, it is a frame with fewer of them.
            if let Some(frame) = Frame::parse(&whole[..end]) {
                assert_ne!(frame.kind(), Kind::Event);
            }
        }
        for wrong in [
            &b"{\"type\":\"event\"}"[..],
            &[0xff; 40],
            &[0x42, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ] {
            assert_eq!(Frame::parse(wrong), None);
        }
    }
}
