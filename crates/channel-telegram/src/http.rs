//! Requests to the Bot API of one bot.
//!
//! The token is part of every URL. What the server says is passed on without it, should the server repeat it.

use std::fmt;
use std::io;
use std::time::Duration;

use channel_kit::http::{Body, HttpClient, HttpError, Response};
use channel_kit::proxy::Proxies;
use pairing_core::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{ApiRoot, BotToken};

/// A client of one bot.
pub(crate) struct Http {
    client: HttpClient,
    root: ApiRoot,
    token: BotToken,
}

impl Http {
    /// Reads the certificates that this machine trusts, unless the server is not encrypted: it blocks.
    pub(crate) fn new(root: ApiRoot, token: BotToken, proxies: &Proxies) -> io::Result<Self> {
        let client = if root.is_encrypted() {
            HttpClient::encrypted(proxies)?
        } else {
            HttpClient::unencrypted(proxies)?
        };
        Ok(Self {
            client,
            root,
            token,
        })
    }

    /// Calls a method. After an error the server may have done what it was asked all the same.
    pub(crate) async fn post(
        &self,
        method: &str,
        body: Body,
        within: Duration,
    ) -> Result<Response, HttpError> {
        let url = Zeroizing::new(format!(
            "{}/bot{}/{method}",
            self.root.as_str(),
            self.token.expose()
        ));
        self.client.post(&url, body, within).await
    }

    /// What the server's clock shows now, by its last answer with a date.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.client.server_time()
    }

    /// A hash that differs for another bot or another server.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // No address holds a zero.
        hash.update(self.root.as_str());
        hash.update([0]);
        hash.update(self.token.expose());
        hash.finalize().into()
    }

    /// The bot's number.
    pub(crate) fn bot(&self) -> &str {
        self.token.bot()
    }

    /// A text of the server without the token, which the server knows.
    pub(crate) fn without_token(&self, text: &str) -> String {
        let secret = self.token.expose();
        let secret_part = secret.split_once(':').map_or(secret, |(_, part)| part);
        text.replace(secret_part, "…")
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
