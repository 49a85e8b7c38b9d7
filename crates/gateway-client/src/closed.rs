//! Reading a close frame.

use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::error::Closed;

/// The code that stands for a close frame without one.
const NO_STATUS: u16 = 1005;

/// How the other side closed the connection: its code and reason, or 1005 where it gave none (RFC 6455, 7.1.5).
pub(crate) fn closed(frame: Option<&CloseFrame>) -> Closed {
    frame.map_or_else(
        || Closed::new(NO_STATUS, ""),
        |frame| Closed::new(frame.code.into(), frame.reason.as_str()),
    )
}
