//! Members of etcd, started on free ports of this machine and gone with the test's process.

#![allow(dead_code, reason = "tests and benchmarks use different parts of it")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use pairing_etcd::Settings;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Members that form one cluster.
pub(crate) struct Members {
    members: Vec<Member>,
    installs: AtomicU32,
}

/// One member; started anew on the same data after it was killed.
pub(crate) struct Member {
    arguments: Vec<String>,
    pub(crate) endpoint: String,
    /// What keeps the process; `None` while it is dead.
    running: Option<Running>,
    /// Goes with it.
    _data: TempDir,
}

struct Running {
    /// A shell that kills the member when the pipe to it closes, so also when this process is killed.
    keeper: Child,
    leash: Option<ChildStdin>,
    pid: Pid,
}

/// Where a member runs.
pub(crate) struct Site {
    /// What its command begins with, to run it elsewhere than here.
    pub(crate) run: Vec<String>,
    /// Its address.
    pub(crate) host: String,
}

/// Starts a member, says its process id, and ends it when standard input ends.
const KEEPER: &str = r#""$@" & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait"#;

impl Members {
    /// So many members, as soon as they serve.
    pub(crate) fn start(count: usize) -> Self {
        Self::start_with(count, "http", &[])
    }

    /// The same with more arguments for each, over a scheme.
    pub(crate) fn start_with(count: usize, scheme: &str, more: &[&str]) -> Self {
        let here = || Site {
            run: Vec::new(),
            host: "127.0.0.1".to_owned(),
        };
        let sites: Vec<_> = (0..count).map(|_| here()).collect();
        Self::begin(&sites, scheme, more)
    }

    /// One on each site.
    pub(crate) fn start_on(sites: &[Site]) -> Self {
        Self::begin(sites, "http", &[])
    }

    fn begin(sites: &[Site], scheme: &str, more: &[&str]) -> Self {
        let count = sites.len();
        let ports = free_ports(2 * count);
        let (client_ports, peer_ports) = ports.split_at(count);
        let peer = |at: usize| format!("http://{}:{}", sites[at].host, peer_ports[at]);
        let all: Vec<_> = (0..count).map(|at| format!("n{at}={}", peer(at))).collect();
        let mut members: Vec<_> = (0..count)
            .map(|at| {
                let data = tempfile::tempdir().unwrap();
                let endpoint = format!("{scheme}://{}:{}", sites[at].host, client_ports[at]);
                let options = [
                    ("--name", format!("n{at}")),
                    ("--data-dir", data.path().display().to_string()),
                    ("--listen-client-urls", endpoint.clone()),
                    ("--advertise-client-urls", endpoint.clone()),
                    ("--listen-peer-urls", peer(at)),
                    ("--initial-advertise-peer-urls", peer(at)),
                    ("--initial-cluster", all.join(",")),
                    ("--heartbeat-interval", "50".to_owned()),
                    ("--election-timeout", "500".to_owned()),
                ];
                let command = sites[at].run.iter().cloned().chain(["etcd".to_owned()]);
                let options = options
                    .into_iter()
                    .flat_map(|(name, value)| [name.to_owned(), value]);
                let more = more.iter().map(|text| (*text).to_owned());
                Member {
                    arguments: command.chain(options).chain(more).collect(),
                    endpoint,
                    running: None,
                    _data: data,
                }
            })
            .collect();
        let starting: Vec<_> = members.iter_mut().map(Member::begin).collect();
        starting.into_iter().for_each(serves);
        Self {
            members,
            installs: AtomicU32::new(0),
        }
    }

    /// The settings of an install that nobody has used yet.
    pub(crate) fn settings(&self) -> Settings {
        let install = self.installs.fetch_add(1, Ordering::Relaxed);
        let endpoints = self.members.iter().map(|member| &member.endpoint);
        let settings = Settings::new(endpoints).unwrap();
        settings.prefix(&format!("install-{install}")).unwrap()
    }

    /// The addresses of the members.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|m| m.endpoint.clone()).collect()
    }

    /// Kills one by its process id; its data stays.
    pub(crate) fn kill(&mut self, at: usize) {
        let running = self.members[at].running.take().unwrap();
        kill_process(running.pid, Signal::KILL).unwrap();
    }

    /// Starts some again on their data, and waits until they serve.
    pub(crate) fn start_again(&mut self, which: &[usize]) {
        let logs: Vec<_> = which.iter().map(|at| self.members[*at].begin()).collect();
        logs.into_iter().for_each(serves);
    }

    /// Makes one stand still.
    pub(crate) fn stop(&self, at: usize) {
        kill_process(self.pid(at), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self, at: usize) {
        kill_process(self.pid(at), Signal::CONT).unwrap();
    }

    fn pid(&self, at: usize) -> Pid {
        self.members[at].running.as_ref().unwrap().pid
    }
}

impl Member {
    /// Starts it; it serves once [`serves`] says so.
    fn begin(&mut self) -> BufReader<ChildStderr> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        let said = keeper.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut pid).unwrap();
        let log = BufReader::new(keeper.stderr.take().unwrap());
        self.running = Some(Running {
            leash: keeper.stdin.take(),
            keeper,
            pid: Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        });
        log
    }
}

/// Waits until the member whose log it is serves, and goes on reading.
fn serves(log: BufReader<ChildStderr>) {
    let (sender, ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = log.lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let is_ready = line.contains("ready to serve client requests");
            said.push(line);
            if is_ready {
                sender.send(Ok(())).unwrap();
                lines.for_each(drop);
                return;
            }
        }
        // Nobody may wait any more.
        let _ = sender.send(Err(said.join("\n")));
    });
    if let Err(said) = ready.recv().unwrap() {
        panic!("no member of etcd starts (apt-get install etcd-server):\n{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that stands still cannot be waited for; one that is dead cannot be told.
        let _ = kill_process(self.pid, Signal::CONT);
        drop(self.leash.take());
        self.keeper.wait().unwrap();
    }
}

/// Ports that nobody listens on; each another.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    listeners.iter().map(port).collect()
}
