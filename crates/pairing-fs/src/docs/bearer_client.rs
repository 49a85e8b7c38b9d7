//! `devices/bearer-clients.json`: clients without a key, by the hash of their token. Only this program has it.

use pairing_core::store::BearerClient;
use pairing_core::{ApproverId, Principal, Record, TokenHash};

use super::fields::Fields;
use super::keyed::Entry;
use crate::json::{Edit, Members};

impl Entry for BearerClient {
    const KIND: &'static str = "bearer client";
    /// A person may have written a token in clear where its hash belongs.
    const SECRET_NAMES: bool = true;

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        let hash = TokenHash::parse(name).map_err(|error| error.to_string())?;
        let via = members.raw("via").ok_or("no `via`")?;
        let principal = members
            .text("principal")
            .map(|text| Principal::parse(&text));
        Ok(Self {
            hash,
            name: members.text("name").ok_or("no `name`")?,
            scopes: members.scopes("scopes").ok_or("no `scopes`")?,
            by: ApproverId::from(members.text("by").ok_or("no `by`")?),
            via: serde_json::from_str(via).map_err(|_| "`via` is not known here")?,
            principal: principal.transpose().map_err(|error| error.to_string())?,
            issued_at: members.time("issuedAtMs")?.ok_or("no `issuedAtMs`")?,
            expires_at: members.time("expiresAtMs")?,
        })
    }

    fn id(&self) -> String {
        self.hash.to_string()
    }

    fn write(&self, entry: &mut Edit) {
        entry.put_text("name", Some(&self.name));
        entry.put_scopes("scopes", &self.scopes, 2);
        entry.put_text("by", Some(self.by.as_str()));
        if let Ok(via) = serde_json::to_string(&self.via) {
            entry.set("via", via);
        }
        entry.put_text("principal", self.principal.as_ref().map(Principal::as_str));
        entry.put_time("issuedAtMs", Some(self.issued_at));
        entry.put_time("expiresAtMs", self.expires_at);
    }

    fn hash_tokens(_: &mut Edit) {}

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_bearer_client()
    }
}
