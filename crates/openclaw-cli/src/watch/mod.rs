//! Shows pending requests as they arrive: a table with keys for people, lines for programs.

mod board;
mod source;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::console::{Key, Keys, Screen};
use crate::{Exit, Failure};

use board::Board;
pub(crate) use source::Source;

/// Interval after which expired requests are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A pending request.
pub(crate) struct Item<T, const N: usize> {
    /// The id of the request; another request of the same sender or device has another one.
    pub(crate) id: String,
    pub(crate) cells: [String; N],
    /// What its approval grants.
    pub(crate) rights: Vec<String>,
    pub(crate) json: serde_json::Value,
    pub(crate) subject: T,
}

/// A kind of pending requests.
pub(crate) trait Watched<const N: usize> {
    /// The subject of a decision.
    type Subject;

    const TITLE: &'static str;
    const NOBODY: &'static str;
    const HEADER: [&'static str; N];
    const BREAKABLE: &'static [usize];

    /// Reads the pending requests.
    fn waiting(&self, screen: &mut Screen<'_, '_>) -> Result<Vec<Item<Self::Subject, N>>, Failure>;

    /// Approves or rejects exactly this request, and says so.
    fn decide(&self, subject: &Self::Subject, approve: bool) -> Result<String, Failure>;
}

/// Why a watcher wakes up.
enum Woken {
    Changed,
    Key(Key),
    /// The source of changes has ended.
    Ended(Failure),
}

/// Shows pending requests until the person quits, or the source of changes ends.
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
    // Keys are read one at a time, so that none is consumed after the end.
    let mut listens = false;
    loop {
        let waiting = watched.waiting(screen)?;
        board.update::<W>(waiting, screen)?;
        if decides && !listens {
            // If keys cannot be read any more, the table goes on without them.
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

/// Reads one key each time that one is asked for.
fn read_keys(mut keys: Keys, asked: &mpsc::Receiver<()>, sender: &Sender<Woken>) {
    while asked.recv().is_ok() {
        // If keys cannot be read, the table goes on without them.
        let Ok(key) = keys() else { return };
        if sender.send(Woken::Key(key)).is_err() {
            return;
        }
    }
}
