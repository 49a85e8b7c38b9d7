//! Reads and writes the members of a record as typed values.

use std::collections::BTreeSet;

use pairing_core::device::{Role, is_command};
use pairing_core::{Scope, ScopeSet, SecretToken, Timestamp, TokenHash};

use crate::json::{self, Edit, Members};

/// Reads the members of a record, whether unchanged or being edited.
pub(super) trait Fields {
    fn raw(&self, key: &str) -> Option<&str>;

    /// Returns the text of a string or number; any other value counts as missing.
    fn text(&self, key: &str) -> Option<String> {
        self.raw(key).and_then(json::text_of)
    }

    fn flag(&self, key: &str) -> bool {
        self.raw(key) == Some("true")
    }

    /// Returns a time in whole milliseconds. One that is present but cannot be read is an error: it may be
    /// the time at which a token was revoked.
    fn time(&self, key: &str) -> Result<Option<Timestamp>, String> {
        match self.raw(key) {
            None | Some("null") => Ok(None),
            Some(raw) => match raw.parse() {
                Ok(millis) => Ok(Some(Timestamp::from_millis(millis))),
                Err(_) => Err(format!("`{key}` is no time in milliseconds")),
            },
        }
    }

    /// Returns the texts in a list.
    fn list(&self, key: &str) -> Option<Vec<String>> {
        let elements = json::elements(self.raw(key)?).ok()?;
        Some(elements.into_iter().filter_map(json::text_of).collect())
    }

    /// Returns the valid scopes in a list.
    fn scopes(&self, key: &str) -> Option<ScopeSet> {
        let names = self.list(key)?.into_iter();
        Some(names.filter_map(|name| Scope::parse(&name).ok()).collect())
    }

    /// Returns the commands in a list. A value that is present but not such a list is an error: a missing
    /// list may be filled in by the first connection.
    fn commands(&self, key: &str) -> Result<Option<BTreeSet<String>>, String> {
        let Some(raw) = self.raw(key).filter(|raw| *raw != "null") else {
            return Ok(None);
        };
        let names = json::elements(raw).ok();
        let names = names.filter(|names| names.iter().all(|raw| raw.starts_with('"')));
        let names = names.and_then(|names| {
            let names = names.into_iter().map(json::text_of);
            names.collect::<Option<BTreeSet<_>>>()
        });
        let names = names.filter(|names| names.iter().all(|name| is_command(name)));
        let names = names.ok_or_else(|| format!("`{key}` is no list of commands"))?;
        Ok(Some(names))
    }

    fn hash(&self, key: &str) -> Option<TokenHash> {
        TokenHash::parse(&self.text(key)?).ok()
    }

    /// Returns the members of an object; empty if there is no such object.
    fn members(&self, key: &str) -> Members<'_> {
        let members = self.raw(key).and_then(|raw| Members::parse(raw).ok());
        members.unwrap_or_default()
    }

    /// Returns the role names, known or unknown: `roles`, or else the single `role`.
    fn role_names(&self) -> Vec<String> {
        let one = || self.text("role").into_iter().collect();
        self.list("roles").unwrap_or_else(one)
    }
}

impl Fields for Members<'_> {
    fn raw(&self, key: &str) -> Option<&str> {
        self.get(key)
    }
}

impl Fields for Edit {
    fn raw(&self, key: &str) -> Option<&str> {
        self.get(key)
    }
}

/// Writes members; a member that already has the same value keeps its spelling.
impl Edit {
    pub(super) fn put_text(&mut self, key: &str, text: Option<&str>) {
        if self.text(key).as_deref() != text {
            self.put(key, text.map(json::quoted));
        }
    }

    pub(super) fn put_time(&mut self, key: &str, at: Option<Timestamp>) {
        if self.time(key) != Ok(at) {
            self.put(key, at.map(|at| at.as_millis().to_string()));
        }
    }

    /// Written even if `false`, because an older program may look for the member.
    pub(super) fn put_flag(&mut self, key: &str, flag: bool) {
        if self.get(key).is_none() || self.flag(key) != flag {
            self.set(key, flag.to_string());
        }
    }

    pub(super) fn put_hash(&mut self, key: &str, hash: Option<TokenHash>) {
        self.put_text(key, hash.map(|hash| hash.to_string()).as_deref());
    }

    pub(super) fn put_list<S: AsRef<str>>(&mut self, key: &str, list: &[S], depth: usize) {
        let same = |stored: Vec<String>| {
            let stored = stored.iter().map(String::as_str);
            stored.eq(list.iter().map(AsRef::as_ref))
        };
        if !self.list(key).is_some_and(same) {
            let quoted = list.iter().map(|text| json::quoted(text.as_ref()).into());
            self.set(key, json::array(quoted, depth));
        }
    }

    pub(super) fn put_scopes(&mut self, key: &str, scopes: &ScopeSet, depth: usize) {
        if self.scopes(key).as_ref() != Some(scopes) {
            let names: Vec<_> = scopes.iter().map(Scope::as_str).collect();
            self.put_list(key, &names, depth);
        }
    }

    pub(super) fn put_commands(
        &mut self,
        key: &str,
        commands: Option<&BTreeSet<String>>,
        depth: usize,
    ) {
        if self.commands(key).as_ref().ok() != Some(&commands.cloned()) {
            let quoted = commands.map(|names| names.iter().map(|name| json::quoted(name).into()));
            self.put(key, quoted.map(|names| json::array(names, depth)));
        }
    }

    /// Replaces the roles in `seen` by `roles`; any others, which another program may know, stay.
    pub(super) fn put_roles(&mut self, seen: &BTreeSet<Role>, roles: &BTreeSet<Role>) {
        let mut names = self.role_names();
        if self.get("roles").is_some() && seen == roles {
            return;
        }
        let is_seen = |name: &str| Role::parse(name).is_ok_and(|role| seen.contains(&role));
        let is_wanted = |name: &str| Role::parse(name).is_ok_and(|role| roles.contains(&role));
        names.retain(|name| is_wanted(name) || !is_seen(name));
        for role in roles {
            if !names.iter().any(|name| name == role.as_str()) {
                names.push(role.as_str().to_owned());
            }
        }
        if !self.text("role").is_some_and(|role| names.contains(&role)) {
            self.put_text("role", names.first().map(String::as_str));
        }
        self.put_list("roles", &names, 2);
    }

    /// Returns the members of an object, to be edited and put back.
    pub(super) fn take_object(&self, key: &str) -> Self {
        Self::of(&self.members(key))
    }

    pub(super) fn put_object(&mut self, key: &str, object: &Self, depth: usize) {
        if object.is_changed() {
            self.set(key, object.render(depth));
        }
    }

    pub(super) fn put(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.set(key, value),
            None => self.remove(key),
        }
    }

    /// Replaces a token in clear by its hash. A value that is not a valid token is removed: no client
    /// can present it, and we must not keep it.
    pub(super) fn hash_token(&mut self) {
        let Some(text) = self.get("token").filter(|raw| raw.starts_with('"')) else {
            return;
        };
        let token = json::text_of(text).and_then(|text| SecretToken::parse(&text).ok());
        match token {
            Some(token) => {
                let hash = json::quoted(&TokenHash::of(&token).to_string());
                self.replace("token", "tokenHash", hash);
            }
            None => self.remove("token"),
        }
    }
}
