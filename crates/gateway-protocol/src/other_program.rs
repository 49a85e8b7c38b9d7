//! Gateways of the other program, whose errors often have no `details.code`: the only place that reads messages.

use crate::DetailCode;

/// The code that a message of the other program stands for.
pub(crate) fn code_of(message: &str) -> Option<DetailCode> {
    let whole = [
        ("unknown requestId", DetailCode::UnknownRequest),
        ("unknown deviceId", DetailCode::UnknownDevice),
        ("unknown deviceId/role", DetailCode::UnknownRole),
        ("unknown nodeId", DetailCode::UnknownNode),
    ];
    let beginnings = [
        ("unknown method", DetailCode::UnknownMethod),
        ("missing scope", DetailCode::MissingScope),
        ("unauthorized role", DetailCode::RoleNotAllowed),
        ("protocol mismatch", DetailCode::ProtocolMismatch),
        ("invalid connect params", DetailCode::InvalidConnect),
        ("invalid handshake", DetailCode::ConnectExpected),
        ("invalid role", DetailCode::InvalidRole),
        ("no pending", DetailCode::NoPendingRequest),
    ];
    let same = whole.iter().find(|(text, _)| *text == message);
    let begins = || {
        beginnings
            .iter()
            .find(|(text, _)| message.starts_with(text))
    };
    same.or_else(begins).map(|(_, code)| *code)
}
