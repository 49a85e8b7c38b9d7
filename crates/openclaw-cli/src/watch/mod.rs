//! What waits, as it comes: a table that people decide from by a key, lines for programs.

mod board;
mod source;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::console::{Key, Keys, Screen};
use crate::{Exit, Failure};

use board::Board;
pub(crate) use source::Source;

/// How often it is looked for what has ended by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Somebody who waits.
pub(crate) struct Item<T, const N: usize> {
    /// Exactly which request: another one of the same sender or device has another id.
    pub(crate) id: String,
    pub(crate) cells: [String; N],
    /// What approving it grants.
    pub(crate) rights: Vec<String>,
    pub(crate) json: serde_json::Value,
    pub(crate) subject: T,
}

/// A kind of things that wait.
pub(crate) trait Watched<const N: usize> {
    /// What is decided about.
    type Subject;

    const TITLE: &'static str;
    const NOBODY: &'static str;
    const HEADER: [&'static str; N];
    const BREAKABLE: &'static [usize];

    /// What waits now.
    fn waiting(&self, screen: &mut Screen<'_, '_>) -> Result<Vec<Item<Self::Subject, N>>, Failure>;

    /// Approves or rejects this very request, and says so.
    fn decide(&self, subject: &Self::Subject, approve: bool) -> Result<String, Failure>;
}

/// Why a watcher looks up.
enum Woken {
    Changed,
    Key(Key),
    /// Nobody tells of changes any more.
    Ended(Failure),
}

/// Shows what waits until the person quits, or whoever tells of it ends.
pub(crate) fn run<const N: usize, W: Watched<N>>(
    watched: &W,
    source: Source,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let Source {
        sender,
        woken,
        following,
    } = source;
    let keys = screen.take_keys().filter(|_| !json && screen.has_tables());
    let (more, asked) = mpsc::channel();
    let decides = keys.is_some();
    if let Some(keys) = keys {
        thread::spawn(move || read_keys(keys, &asked, &sender));
    } else {
        drop(sender);
    }
    let mut board = Board::new(decides, json);
    // One key at a time: none is read once this has ended.
    let mut listens = false;
    loop {
        let waiting = watched.waiting(screen)?;
        board.update::<W>(waiting, screen)?;
        if decides && !listens {
            // Where nobody reads keys any more, the table goes on without.
            listens = more.send(()).is_ok();
        }
        match woken.recv_timeout(LOOK_AGAIN) {
            Ok(Woken::Changed) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Woken::Key(key)) => {
                listens = false;
                if !board.press(key, watched) {
                    break;
                }
            }
            Ok(Woken::Ended(failure)) => return Err(failure),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    following.end();
    Ok(Exit::Done)
}

/// One key for each time that one is asked for.
fn read_keys(mut keys: Keys, asked: &mpsc::Receiver<()>, sender: &Sender<Woken>) {
    while asked.recv().is_ok() {
        // Where keys cannot be read, the table goes on without.
        let Ok(key) = keys() else { return };
        if sender.send(Woken::Key(key)).is_err() {
            return;
        }
    }
}
