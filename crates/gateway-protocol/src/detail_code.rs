//! The stable codes in `details.code`: why a request or a connection was refused.

use std::fmt;

/// Declares the codes: each with its text on the wire, its meaning, and what to do.
macro_rules! codes {
    ($($name:ident $text:literal: $meaning:literal, $advice:literal;)*) => {
        /// Why a request or a connection was refused, in one word that does not change: the `details.code` of an error.
        ///
        /// Programs go by this code, never by the message. [`meaning`](Self::meaning) and [`advice`](Self::advice) are
        /// for people. The set grows: a code that is unknown to this version reads as `None`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DetailCode {
            $(#[doc = concat!("`", $text, "`: ", $meaning, ".")] $name,)*
        }

        impl DetailCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it is on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What has happened, for a person.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What to do about it, for a person.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

codes! {
    ConnectExpected "CONNECT_EXPECTED":
        "the first request of a connection was not `connect`", "update the client";
    InvalidConnect "INVALID_CONNECT":
        "the parameters of `connect` are not valid", "update the client, or correct the field that the message names";
    ProtocolMismatch "PROTOCOL_MISMATCH":
        "client and gateway have no version of the protocol in common", "update the older of the two";
    InvalidRole "INVALID_ROLE":
        "the role is neither operator nor node", "update the client";
    OriginNotAllowed "ORIGIN_NOT_ALLOWED":
        "the web page is from an origin that the gateway does not allow",
        "open the page from the gateway itself, or name its origin in gateway.controlUi.allowedOrigins";
    DeviceIdentityRequired "DEVICE_IDENTITY_REQUIRED":
        "the connection needs a device's key, or another secret", "connect with a device's key";
    PairingRequired "PAIRING_REQUIRED":
        "the owner has not approved this device, or not for this",
        "have the owner run `openclaw devices approve` with the request's id";
    AuthTokenMissing "AUTH_TOKEN_MISSING":
        "the gateway asks for a token", "give the gateway's token";
    AuthTokenMismatch "AUTH_TOKEN_MISMATCH":
        "the token is not the gateway's", "take the token from the gateway's configuration";
    AuthPasswordMissing "AUTH_PASSWORD_MISSING":
        "the gateway asks for a password", "give the gateway's password";
    AuthPasswordMismatch "AUTH_PASSWORD_MISMATCH":
        "the password is not the gateway's", "take the password from the gateway's configuration";
    AuthIdentityHeaderRequired "AUTH_IDENTITY_HEADER_REQUIRED":
        "the gateway takes the word of a proxy for who somebody is, and none has named a user who may come",
        "come by the proxy that signs people in";
    AuthDeviceTokenMismatch "AUTH_DEVICE_TOKEN_MISMATCH":
        "the device token is not valid any more",
        "connect with the gateway's token, or pair with a new setup code";
    AuthBootstrapTokenInvalid "AUTH_BOOTSTRAP_TOKEN_INVALID":
        "the setup code was used, or has expired", "make a new one with `openclaw qr`";
    AuthRateLimited "AUTH_RATE_LIMITED":
        "too many wrong secrets came from this address", "wait for as long as the error says";
    DeviceAuthInvalid "DEVICE_AUTH_INVALID":
        "the device's proof has no valid form", "update the client";
    DeviceAuthDeviceIdMismatch "DEVICE_AUTH_DEVICE_ID_MISMATCH":
        "the device id is not that of the key", "make a new identity for the device";
    DeviceAuthNonceRequired "DEVICE_AUTH_NONCE_REQUIRED":
        "the device's proof lacks the gateway's challenge", "update the client";
    DeviceAuthNonceMismatch "DEVICE_AUTH_NONCE_MISMATCH":
        "the device's proof answers another challenge", "connect again";
    DeviceAuthSignatureExpired "DEVICE_AUTH_SIGNATURE_EXPIRED":
        "the device's proof is too old, or from the future", "set the device's clock";
    DeviceAuthSignatureInvalid "DEVICE_AUTH_SIGNATURE_INVALID":
        "the signature of the device's proof is wrong", "update the client";
    DeviceAuthPublicKeyInvalid "DEVICE_AUTH_PUBLIC_KEY_INVALID":
        "the device's public key is not valid", "make a new identity for the device";
    TooManyConnections "TOO_MANY_CONNECTIONS":
        "the gateway takes no more connections", "try again later";
    StoreUnavailable "STORE_UNAVAILABLE":
        "the gateway cannot read or write its state", "see the gateway's log, and `openclaw doctor`";
    Internal "INTERNAL":
        "the gateway failed", "see the gateway's log";
    InvalidFrame "INVALID_FRAME":
        "the message is not a request", "update the client";
    InvalidParams "INVALID_PARAMS":
        "a parameter of the request is not valid", "correct the field that the message names";
    UnknownMethod "UNKNOWN_METHOD":
        "the gateway has no such method", "update the gateway";
    MissingScope "MISSING_SCOPE":
        "the connection lacks the scope for this", "have the device approved for more";
    RoleNotAllowed "ROLE_NOT_ALLOWED":
        "the method is for another role", "connect in the role that the method is for";
    AccessRevoked "ACCESS_REVOKED":
        "the access of this connection was revoked meanwhile", "ask the owner";
    RateLimited "RATE_LIMITED":
        "too many calls of this connection were refused", "wait for as long as the error says";
    UnknownRequest "UNKNOWN_REQUEST":
        "no such request is pending", "list what is pending";
    UnknownDevice "UNKNOWN_DEVICE":
        "no such device is paired", "list the devices";
    UnknownRole "UNKNOWN_ROLE":
        "the device has no such role", "list the devices with their roles";
    UnknownNode "UNKNOWN_NODE":
        "no such node is paired", "list the nodes";
    UnknownChannel "UNKNOWN_CHANNEL":
        "the gateway does not know this channel", "name one of the known channels";
    InvalidName "INVALID_NAME":
        "the name is not valid", "give another name";
    InvalidCode "INVALID_CODE":
        "the text cannot be a pairing code", "type the code as the sender received it";
    NoPendingRequest "NO_PENDING_REQUEST":
        "no pending request has this code, or is from this sender", "see what is pending with `openclaw pairing list`";
    RequestExpired "REQUEST_EXPIRED":
        "the request with this code has expired", "ask the sender to write to the bot again for a new code";
    OtherAccount "OTHER_ACCOUNT":
        "the request came in through another account", "name the account that the message names";
    AmbiguousRequest "AMBIGUOUS_REQUEST":
        "requests of several accounts match", "name the account";
    LockedOut "LOCKED_OUT":
        "too many wrong codes were entered", "wait, or decide on the gateway's machine";
    InvalidSender "INVALID_SENDER":
        "the text cannot be a sender of this channel", "give the id as the channel has it";
    NoAddress "NO_ADDRESS":
        "no address is known under which a phone finds the gateway", "set the public URL, as the message says";
    TooLong "TOO_LONG":
        "the value is too long", "give a shorter one";
    AuditUnavailable "AUDIT_UNAVAILABLE":
        "the gateway cannot read its audit log", "see the gateway's log";
    NotConnected "NOT_CONNECTED":
        "the node is not connected", "start the node, and try again";
    NodeFailed "NODE_FAILED":
        "the node did not carry out the command, and gave no code of its own", "see the message";
    NodeMismatch "NODE_MISMATCH":
        "the answer names another node", "update the node";
    NodeElsewhere "NODE_ELSEWHERE":
        "the node is connected to another gateway, which cannot be asked", "see the log of this gateway";
    CommandNotAllowed "COMMAND_NOT_ALLOWED":
        "the node does not offer this command, or it is not approved", "approve the command for the node";
    Timeout "TIMEOUT":
        "there was no answer in time", "look whether it was done before trying again";
    Disabled "DISABLED":
        "the account is turned off", "turn the account on in openclaw.json";
    NoAdapter "NO_ADAPTER":
        "the gateway does not run this account", "set the account up in openclaw.json";
    Chat "CHAT":
        "the chat does not take messages", "have the person write to the bot first";
    Unable "UNABLE":
        "the channel cannot do that", "use another channel";
    ChannelUnavailable "CHANNEL_UNAVAILABLE":
        "the chat system failed, or cannot be reached", "try again later";
}

impl DetailCode {
    /// The code with this text; `None` for codes that this version does not know.
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.as_str() == text)
    }
}

impl fmt::Display for DetailCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        let texts: HashSet<_> = DetailCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), DetailCode::ALL.len());
        for code in DetailCode::ALL {
            assert_eq!(DetailCode::parse(code.as_str()), Some(*code));
            let is_kept = |b: u8| b.is_ascii_uppercase() || b == b'_';
            assert!(code.as_str().bytes().all(is_kept), "{code}");
            for text in [code.meaning(), code.advice()] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{code}: {text}");
            }
        }
        assert_eq!(DetailCode::parse("SOMETHING_NEW"), None);
    }

    /// `docs/errors.md` lists every code, with its meaning and what to do.
    #[test]
    fn the_documentation_lists_every_code() {
        let documented = include_str!("../../../docs/errors.md");
        for code in DetailCode::ALL {
            let row = format!("| `{code}` | {} | {} |", code.meaning(), code.advice());
            assert!(documented.lines().any(|line| line == row), "missing: {row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), DetailCode::ALL.len());
    }
}
