//! Pending and approved devices or nodes: the files of one directory, which change together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::device::PairingToken;
use pairing_core::store::{BearerClient, Cursor, Page, PageRequest, Read, Version};
use pairing_core::{Key, Range, StoreError};

use super::{absent, unknown_kind};
use crate::cache::{CachedFile, Now, State};
use crate::docs::{Document, Ended, Entry, Keyed, unfinished};
use crate::error::unreadable;
use crate::names;

/// The files of `devices/` or `nodes/`.
pub(super) struct Registry<Q: Entry, P: Entry> {
    pub(super) dir: PathBuf,
    pub(super) pending: CachedFile<Keyed<Q>>,
    pub(super) paired: CachedFile<Keyed<P>>,
    /// `None` for nodes, which have no pairing tokens.
    pub(super) tokens: Option<CachedFile<Keyed<PairingToken>>>,
    /// `None` for nodes, as well.
    pub(super) clients: Option<CachedFile<Keyed<BearerClient>>>,
}

/// The file that holds a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Pending,
    Paired,
    Tokens,
    Clients,
}

/// A file as stored, or as it will be once an approval interrupted by a crash is finished.
enum View<E: Entry> {
    Stored(Arc<State<Keyed<E>>>),
    Finished(Box<Keyed<E>>),
}

impl Place {
    /// Returns the file of a record, and the record's id in it.
    pub(super) fn of(key: &Key) -> Result<(Self, String), StoreError> {
        Ok(match key {
            Key::DeviceRequest { device } => (Self::Pending, device.to_string()),
            Key::Device { device } => (Self::Paired, device.to_string()),
            Key::PairingToken { hash } => (Self::Tokens, hash.to_string()),
            Key::BearerClient { hash } => (Self::Clients, hash.to_string()),
            Key::NodeRequest { node } => (Self::Pending, node.as_str().to_owned()),
            Key::Node { node } => (Self::Paired, node.as_str().to_owned()),
            _ => return Err(unknown_kind()),
        })
    }

    fn of_range(range: &Range) -> Result<Self, StoreError> {
        Ok(match range {
            Range::DeviceRequests | Range::NodeRequests => Self::Pending,
            Range::Devices | Range::Nodes => Self::Paired,
            Range::PairingTokens => Self::Tokens,
            Range::BearerClients => Self::Clients,
            _ => return Err(unknown_kind()),
        })
    }
}

impl<Q: Entry, P: Entry> Registry<Q, P> {
    pub(super) fn new(dir: PathBuf) -> Self {
        let rules = Arc::new(());
        Self {
            pending: CachedFile::new(dir.join("pending.json"), rules.clone()),
            paired: CachedFile::new(dir.join("paired.json"), rules),
            tokens: None,
            clients: None,
            dir,
        }
    }

    /// Adds the files of pairing tokens and of bearer clients.
    pub(super) fn with_tokens(self) -> Self {
        let tokens = self.dir.join("bootstrap.json");
        let clients = self.dir.join(names::BEARER_CLIENTS);
        Self {
            tokens: Some(CachedFile::new(tokens, Arc::new(()))),
            clients: Some(CachedFile::new(clients, Arc::new(()))),
            ..self
        }
    }

    pub(super) fn read(&self, key: &Key, now: Now) -> Result<Read, StoreError> {
        let (place, id) = Place::of(key)?;
        let found = match place {
            Place::Pending => self.requests(now)?.doc(self.pending.path())?.get(&id),
            Place::Paired => {
                let state = self.paired.recent(now);
                state.document(self.paired.path())?.get(&id)
            }
            Place::Tokens => {
                let file = self.tokens()?;
                self.tokens_view(file, now)?.doc(file.path())?.get(&id)
            }
            Place::Clients => {
                let file = self.clients()?;
                file.recent(now).document(file.path())?.get(&id)
            }
        };
        Ok(found.map_or_else(absent, |found| Read {
            version: Version::new(found.digest.max(1)),
            record: Some(found.record),
        }))
    }

    pub(super) fn range(
        &self,
        range: &Range,
        page: &PageRequest,
        now: Now,
    ) -> Result<Page, StoreError> {
        match Place::of_range(range)? {
            Place::Pending => {
                let path = self.pending.path();
                Ok(cut(self.requests(now)?.doc(path)?, path, page))
            }
            Place::Paired => {
                let (state, path) = (self.paired.recent(now), self.paired.path());
                Ok(cut(state.document(path)?, path, page))
            }
            Place::Tokens => {
                let file = self.tokens()?;
                let view = self.tokens_view(file, now)?;
                Ok(cut(view.doc(file.path())?, file.path(), page))
            }
            Place::Clients => {
                let file = self.clients()?;
                let (state, path) = (file.recent(now), file.path());
                Ok(cut(state.document(path)?, path, page))
            }
        }
    }

    pub(super) fn tokens(&self) -> Result<&CachedFile<Keyed<PairingToken>>, StoreError> {
        self.tokens.as_ref().ok_or_else(unknown_kind)
    }

    pub(super) fn clients(&self) -> Result<&CachedFile<Keyed<BearerClient>>, StoreError> {
        self.clients.as_ref().ok_or_else(unknown_kind)
    }

    /// Returns the requests, except those whose approval already counts.
    fn requests(&self, now: Now) -> Result<View<Q>, StoreError> {
        let state = self.pending.recent(now);
        let doc = state.document(self.pending.path())?;
        // Read after the requests: a request that has ended by then was approved before.
        let paired = self.paired.recent(now);
        let paired = paired.document(self.paired.path());
        let half_done = paired.map_or_else(|_| Vec::new(), |paired| unfinished(doc, paired));
        let text = requests_after(doc, &half_done);
        View::of(text, self.pending.path(), &state)
    }

    /// Returns the pairing tokens, including the effects of approvals that already count.
    fn tokens_view(
        &self,
        file: &CachedFile<Keyed<PairingToken>>,
        now: Now,
    ) -> Result<View<PairingToken>, StoreError> {
        let state = file.recent(now);
        let doc = state.document(file.path())?;
        let (pending, paired) = (self.pending.recent(now), self.paired.recent(now));
        let pending = pending.document(self.pending.path());
        let half_done = match (pending, paired.document(self.paired.path())) {
            (Ok(pending), Ok(paired)) => unfinished(pending, paired),
            _ => Vec::new(),
        };
        let text = tokens_after(doc, &half_done);
        View::of(text, file.path(), &state)
    }
}

/// Returns the text of the requests once these approvals are finished; `None` if that changes nothing.
pub(super) fn requests_after<Q: Entry>(
    doc: &Keyed<Q>,
    half_done: &[(String, &Ended)],
) -> Option<String> {
    let ids: Vec<String> = half_done.iter().map(|(id, _)| id.clone()).collect();
    (!ids.is_empty()).then(|| doc.edited(&ids, &[])).flatten()
}

/// Returns the text of the pairing tokens once these approvals are finished; `None` if that changes nothing.
pub(super) fn tokens_after(
    doc: &Keyed<PairingToken>,
    half_done: &[(String, &Ended)],
) -> Option<String> {
    let changes = half_done.iter().flat_map(|(_, ended)| &ended.tokens);
    let (mut deleted, mut put) = (Vec::new(), Vec::new());
    for (hash, token) in changes {
        match token {
            Some(token) => put.push((token, None)),
            None => deleted.push(hash.to_string()),
        }
    }
    let any = !deleted.is_empty() || !put.is_empty();
    any.then(|| doc.edited(&deleted, &put)).flatten()
}

impl<E: Entry> View<E> {
    fn of(
        finished: Option<String>,
        path: &Path,
        state: &Arc<State<Keyed<E>>>,
    ) -> Result<Self, StoreError> {
        Ok(match finished {
            None => Self::Stored(state.clone()),
            Some(text) => {
                let doc = Keyed::parse(&text, &());
                Self::Finished(Box::new(doc.map_err(|error| unreadable(path, error))?))
            }
        })
    }

    fn doc(&self, path: &Path) -> Result<&Keyed<E>, StoreError> {
        match self {
            Self::Stored(state) => state.document(path),
            Self::Finished(doc) => Ok(doc),
        }
    }
}

/// Cuts a page out of a document, starting at the place in the cursor.
fn cut<E: Entry>(doc: &Keyed<E>, path: &Path, page: &PageRequest) -> Page {
    let start = page.after.as_ref().map(|cursor| cursor.as_str().parse());
    let mut place: usize = start.and_then(Result::ok).unwrap_or(0);
    let mut rest = doc.from(place);
    let mut records = Vec::new();
    for (after, _, found) in rest.by_ref().take(page.limit.max(1)) {
        records.push(found.record);
        place = after;
    }
    Page {
        version: Version::new(doc.digest().max(1)),
        next: rest.next().map(|_| Cursor::new(place.to_string())),
        problems: match page.after {
            None => doc.problems(&path.display().to_string()),
            Some(_) => Vec::new(),
        },
        records,
    }
}
