//! Commits a batch about devices or nodes: checks its conditions under our lock, then replaces the files.

use std::time::Duration;

use pairing_core::device::PairingToken;
use pairing_core::store::{Batch, BearerClient, Change};
use pairing_core::{Key, StoreError, TokenHash};

use super::registry::{Place, Registry, requests_after, tokens_after};
use super::{Inner, unknown_kind};
use crate::cache::{CachedFile, Now, Replaceable, replace};
use crate::docs::{Ended, Entry, Keyed, unfinished};
use crate::lock::{OurLock, Patience};

/// Name of the file that locks a directory of devices or nodes.
const LOCK_FILE: &str = ".oslock";

/// The changes of a batch, grouped by the file they are written to.
struct Plan<'b, Q, P> {
    requests: Part<'b, Q>,
    approved: Part<'b, P>,
    tokens: Part<'b, PairingToken>,
    clients: Part<'b, BearerClient>,
    /// The new state of each pairing token that changes; `None` if it is deleted.
    outcomes: Vec<(TokenHash, Option<PairingToken>)>,
}

struct Part<'b, E> {
    put: Vec<&'b E>,
    deleted: Vec<String>,
}

type NewText<'r> = (&'r dyn Replaceable, String);

impl Inner {
    pub(super) fn commit_to<Q: Entry, P: Entry>(
        &self,
        registry: &Registry<Q, P>,
        batch: &Batch,
        lock_wait: Duration,
    ) -> Result<(), StoreError> {
        let plan = Plan::<Q, P>::of(&batch.changes)?;
        let mut patience = Patience::new(lock_wait);
        self.disk.create_dir(&registry.dir)?;
        let _lock = OurLock::take(&registry.dir.join(LOCK_FILE), &mut patience)?;
        registry.look();
        let finished = registry.finishing(self.now())?;
        if !finished.is_empty() {
            replace(&self.disk, finished)?;
        }
        self.check(batch)?;
        if batch.changes.is_empty() {
            return Ok(());
        }
        replace(&self.disk, plan.texts(registry, self.now())?)?;
        let keys = batch.changes.iter().map(Change::key);
        self.feed.report(keys.collect());
        Ok(())
    }
}

impl<Q: Entry, P: Entry> Registry<Q, P> {
    fn look(&self) {
        self.pending.look();
        self.paired.look();
        if let Some(tokens) = &self.tokens {
            tokens.look();
        }
        if let Some(clients) = &self.clients {
            clients.look();
        }
    }

    /// Returns the writes still missing from approvals that already count. The request is removed last: as
    /// long as it exists, the rest is known to be unfinished.
    fn finishing(&self, now: Now) -> Result<Vec<NewText<'_>>, StoreError> {
        let (pending, paired) = (self.pending.recent(now), self.paired.recent(now));
        let pending = pending.document(self.pending.path());
        // If one of them cannot be read, only a batch about that one has to fail.
        let (Ok(pending), Ok(paired)) = (pending, paired.document(self.paired.path())) else {
            return Ok(Vec::new());
        };
        let half_done = unfinished(pending, paired);
        let mut texts: Vec<NewText<'_>> = Vec::new();
        if let Some(file) = self.tokens.as_ref()
            && half_done.iter().any(|(_, ended)| !ended.tokens.is_empty())
        {
            let state = file.recent(now);
            push(
                &mut texts,
                file,
                tokens_after(state.document(file.path())?, &half_done),
            );
        }
        push(
            &mut texts,
            &self.pending,
            requests_after(pending, &half_done),
        );
        Ok(texts)
    }
}

impl<'b, Q: Entry, P: Entry> Plan<'b, Q, P> {
    fn of(changes: &'b [Change]) -> Result<Self, StoreError> {
        let mut plan = Self {
            requests: Part::default(),
            approved: Part::default(),
            tokens: Part::default(),
            clients: Part::default(),
            outcomes: Vec::new(),
        };
        for change in changes {
            let key = change.key();
            let (place, id) = Place::of(&key)?;
            match place {
                Place::Pending => plan.requests.take(change, id)?,
                Place::Paired => plan.approved.take(change, id)?,
                Place::Clients => plan.clients.take(change, id)?,
                Place::Tokens => {
                    let put = match change {
                        Change::Put(record) => record.as_pairing_token().cloned(),
                        Change::Delete(_) => None,
                    };
                    if let Key::PairingToken { hash } = key {
                        plan.outcomes.push((hash, put));
                    }
                    plan.tokens.take(change, id)?;
                }
            }
        }
        Ok(plan)
    }

    /// Returns the new texts, in the order in which they take effect. A crash may come after each of them.
    ///
    /// - An approval that ends a request is published first, and names that request and the new state of the
    ///   pairing tokens: from then on readers see all of its effects, and the next holder of the lock writes
    ///   the rest, the request last.
    /// - A removal is published first. A request and a pairing token that stay behind only let a device ask
    ///   for access; they do not grant it.
    /// - Everything else begins with the pairing tokens: they are bound before the request they were bound
    ///   for exists, and end before the record they were exchanged for exists. After a crash there may be a
    ///   token that can do less than it could; its holder tries again.
    fn texts<'r>(
        &self,
        registry: &'r Registry<Q, P>,
        now: Now,
    ) -> Result<Vec<NewText<'r>>, StoreError> {
        let approved = self.with_what_they_end(registry, now)?;
        let is_first =
            !self.approved.deleted.is_empty() || approved.iter().any(|(_, ended)| ended.is_some());
        let mut texts = Vec::new();
        let paired = text(&registry.paired, &self.approved.deleted, &approved, now)?;
        if is_first {
            push(&mut texts, &registry.paired, paired.clone());
        }
        match &registry.tokens {
            Some(file) => {
                let put = self.tokens.without_ends();
                push(
                    &mut texts,
                    file,
                    text(file, &self.tokens.deleted, &put, now)?,
                );
            }
            None if self.outcomes.is_empty() => {}
            None => return Err(unknown_kind()),
        }
        if !is_first {
            push(&mut texts, &registry.paired, paired);
        }
        // They rest on nothing else.
        if !self.clients.is_empty() {
            let file = registry.clients()?;
            let put = self.clients.without_ends();
            push(
                &mut texts,
                file,
                text(file, &self.clients.deleted, &put, now)?,
            );
        }
        let put = self.requests.without_ends();
        let pending = text(&registry.pending, &self.requests.deleted, &put, now)?;
        push(&mut texts, &registry.pending, pending);
        Ok(texts)
    }

    /// Returns the approved records, each with the request and the pairing tokens that its approval ends.
    fn with_what_they_end(
        &self,
        registry: &Registry<Q, P>,
        now: Now,
    ) -> Result<Vec<(&'b P, Option<Ended>)>, StoreError> {
        let mut all = self.approved.without_ends();
        if self.requests.deleted.is_empty() {
            return Ok(all);
        }
        let state = registry.pending.recent(now);
        let pending = state.document(registry.pending.path())?;
        for (entry, ended) in &mut all {
            let id = entry.id();
            if self.requests.deleted.contains(&id) {
                *ended = pending.name_of(&id).map(|request| Ended {
                    request: request.to_owned(),
                    tokens: self.outcomes.clone(),
                });
            }
        }
        Ok(all)
    }
}

impl<E> Default for Part<'_, E> {
    fn default() -> Self {
        Self {
            put: Vec::new(),
            deleted: Vec::new(),
        }
    }
}

impl<'b, E: Entry> Part<'b, E> {
    fn take(&mut self, change: &'b Change, id: String) -> Result<(), StoreError> {
        match change {
            Change::Put(record) => self.put.push(E::of(record).ok_or_else(unknown_kind)?),
            Change::Delete(_) => self.deleted.push(id),
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.put.is_empty() && self.deleted.is_empty()
    }

    fn without_ends(&self) -> Vec<(&'b E, Option<Ended>)> {
        self.put.iter().map(|entry| (*entry, None)).collect()
    }
}

/// Returns the new text of a file. A file that the batch does not concern is rewritten only to remove tokens
/// in clear, and may be unreadable.
fn text<E: Entry>(
    file: &CachedFile<Keyed<E>>,
    deleted: &[String],
    put: &[(&E, Option<Ended>)],
    now: Now,
) -> Result<Option<String>, StoreError> {
    let state = file.recent(now);
    match state.document(file.path()) {
        Err(_) if deleted.is_empty() && put.is_empty() => Ok(None),
        doc => Ok(doc?.edited(deleted, put)),
    }
}

fn push<'r, E: Entry>(
    texts: &mut Vec<NewText<'r>>,
    file: &'r CachedFile<Keyed<E>>,
    text: Option<String>,
) {
    texts.extend(text.map(|text| (file as &dyn Replaceable, text)));
}
