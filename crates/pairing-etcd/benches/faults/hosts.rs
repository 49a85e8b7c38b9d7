//! Three hosts on one machine, and the cable to each.

use std::process::Command;

use crate::members::{Members, Site};

/// Hosts in network namespaces that are made here and removed at the end; or none.
pub(crate) struct Hosts {
    /// The names of the namespaces; empty where they are not allowed.
    names: Vec<String>,
    count: usize,
    /// What all their cables end at.
    bridge: String,
}

/// The hosts' network, which exists only here: a prefix that nobody routes.
const NETWORK: &str = "10.231.117";

impl Hosts {
    pub(crate) fn make(count: usize) -> Self {
        let mut hosts = Self {
            names: Vec::new(),
            count,
            bridge: format!("pe{}", std::process::id() % 100_000),
        };
        if let Err(why) = hosts.lay() {
            println!("no hosts of their own, so nobody is cut off: {why}");
            hosts.remove();
            hosts.names.clear();
        }
        hosts
    }

    pub(crate) fn can_be_cut(&self) -> bool {
        !self.names.is_empty()
    }

    /// A cluster with a member on each host.
    pub(crate) fn start_members(&self) -> Members {
        if self.names.is_empty() {
            return Members::start(self.count);
        }
        let sites = self.names.iter().enumerate().map(|(at, name)| Site {
            run: ["ip", "netns", "exec", name].map(str::to_owned).to_vec(),
            host: format!("{NETWORK}.{}", at + 1),
        });
        Members::start_on(&sites.collect::<Vec<_>>())
    }

    /// Pulls the cable of a host, or puts it in again.
    pub(crate) fn cable(&self, at: usize, state: &str) {
        ip(&["link", "set", &self.cable_name(at), state]).unwrap();
    }

    fn cable_name(&self, at: usize) -> String {
        format!("{}c{at}", self.bridge)
    }

    fn lay(&mut self) -> Result<(), String> {
        let bridge = self.bridge.clone();
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{NETWORK}.254/24"), "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for at in 0..self.count {
            let (name, cable) = (format!("{bridge}n{at}"), self.cable_name(at));
            ip(&["netns", "add", &name])?;
            self.names.push(name.clone());
            ip(&[
                "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name,
            ])?;
            ip(&["link", "set", &cable, "master", &bridge, "up"])?;
            let address = format!("{NETWORK}.{}/24", at + 1);
            ip(&["-n", &name, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    fn remove(&self) {
        for name in &self.names {
            let _ = ip(&["netns", "del", name]);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let done = Command::new("ip")
        .args(words)
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }
}
