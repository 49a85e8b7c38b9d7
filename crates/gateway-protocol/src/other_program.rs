//! Gateways of the other program, whose errors often have no `details.code`: the only place that reads messages.

use crate::DetailCode;

/// The refusal of `device.pair.approve` for want of scopes. The command line of releases from 2026.7 on looks for this
/// text, and then asks again with `operator.admin`.
pub const DEVICE_APPROVAL_DENIED: &str = "device pairing approval denied";

/// The refusal of `channels.pairing.*` for a request that has ended.
pub const DM_REQUEST_GONE: &str = "pending DM access request no longer exists";

/// The code that a message of the other program stands for.
pub(crate) fn code_of(message: &str) -> Option<DetailCode> {
    let whole = [
        ("unknown requestId", DetailCode::UnknownRequest),
        ("unknown deviceId", DetailCode::UnknownDevice),
        ("unknown deviceId/role", DetailCode::UnknownRole),
        ("unknown nodeId", DetailCode::UnknownNode),
        (
            "device signature invalid",
            DetailCode::DeviceAuthSignatureInvalid,
        ),
        (DEVICE_APPROVAL_DENIED, DetailCode::MissingScope),
        (DM_REQUEST_GONE, DetailCode::NoPendingRequest),
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
