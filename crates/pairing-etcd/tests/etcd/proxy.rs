//! A network between a store and a member that can be cut, held up, and made to lose answers.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Forwards connections to a member, as long as it is told to.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    mode: Mode,
    sockets: Vec<TcpStream>,
    /// Answers that were lost.
    lost: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    /// New connections are closed at once.
    Cut,
    /// What clients say waits.
    HoldRequests,
    /// The next that members say is lost, and the connection with it.
    LoseAnswer,
}

impl Proxy {
    pub(crate) fn to(endpoint: &str) -> Self {
        let member = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self {
            endpoint: format!("http://{address}"),
            state: Arc::default(),
        };
        let accepting = proxy.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(client, &member);
            }
        });
        proxy
    }

    /// Ends all connections, and lets nobody in.
    pub(crate) fn cut(&self) {
        self.set(Mode::Cut);
        for socket in self.state().sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Holds back what clients say from now on, without their noticing.
    pub(crate) fn hold_requests(&self) {
        self.set(Mode::HoldRequests);
    }

    /// Loses the next thing that a member says, and the connection it would have come over.
    pub(crate) fn lose_next_answer(&self) {
        self.set(Mode::LoseAnswer);
    }

    /// Lets everything through, also what was held back.
    pub(crate) fn open(&self) {
        self.set(Mode::Open);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state().lost
    }

    fn set(&self, mode: Mode) {
        self.state().mode = mode;
        self.state.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    fn connect(&self, client: TcpStream, member: &str) {
        if self.state().mode == Mode::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(member) else {
            return;
        };
        let both = [&client, &server].map(|socket| socket.try_clone().unwrap());
        self.state().sockets.extend(both);
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (up, down) = (self.clone(), self.clone());
        thread::spawn(move || {
            pass(from, to, || up.may_ask());
        });
        thread::spawn(move || {
            pass(server, client, || down.may_answer());
        });
    }

    /// Waits while requests are held.
    fn may_ask(&self) -> bool {
        let held = |state: &mut State| state.mode == Mode::HoldRequests;
        drop(self.state.1.wait_while(self.state(), held).unwrap());
        true
    }

    fn may_answer(&self) -> bool {
        let mut state = self.state();
        let is_lost = state.mode == Mode::LoseAnswer;
        if is_lost {
            state.mode = Mode::Open;
            state.lost += 1;
        }
        !is_lost
    }
}

/// Passes on what comes, as long as it may; then ends both sides.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut() -> bool) {
    let mut buffer = [0; 16 << 10];
    let mut some = || -> io::Result<bool> {
        let read = from.read(&mut buffer)?;
        if read == 0 || !may() {
            return Ok(false);
        }
        to.write_all(&buffer[..read])?;
        Ok(true)
    };
    while some().unwrap_or(false) {}
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
