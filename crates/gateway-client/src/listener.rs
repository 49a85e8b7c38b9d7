//! Whose process is at the other end of a connection over loopback.
//!
//! Any user of a machine may listen on a port before the gateway does. A secret is sent over loopback, where
//! nothing is encrypted, only if the kernel says that the process that accepted the connection runs as the user
//! of this process, or as root, who can read everything anyway.

use std::io::{self, BufReader};
use std::net::{IpAddr, SocketAddr};

use rustix::process::geteuid;

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This user's, or root's.
    Trusted,
    /// Another user's.
    Other(u32),
    /// It is being closed from there: nobody's any more, or somebody's who only listens on.
    Closing,
    /// The kernel does not say: the connection does not end in a process that this one can see, as with a port
    /// that a container or a virtual machine forwards, or the system has no such table.
    Unknown,
}

/// Looks up the other end of a connection from `own` to `other`. To be called once the other side has said
/// something: before, no process may have accepted the connection.
pub(crate) fn holder(own: SocketAddr, other: SocketAddr) -> Holder {
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(file) = std::fs::File::open(table) else {
            continue;
        };
        if let Ok(Some(found)) = holder_in(BufReader::new(file), own, other, geteuid().as_raw()) {
            return found;
        }
    }
    Holder::Unknown
}

/// Whose the socket is at `other` that is connected with `own`, in a table of Linux: its second and third
/// columns are the addresses, as that socket sees them, the fourth is its state, and the eighth the user. The user
/// of a socket that is not open in both directions is not told: the table has root for some of those.
fn holder_in(
    table: impl io::BufRead,
    own: SocketAddr,
    other: SocketAddr,
    this: u32,
) -> io::Result<Option<Holder>> {
    for line in table.lines().skip(1) {
        let line = line?;
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (Some(local), Some(remote)) = (columns.next(), columns.next()) else {
            continue;
        };
        if address(local) == Some(canonical(other)) && address(remote) == Some(canonical(own)) {
            let is_open = columns.next() == Some("01");
            let user: Option<u32> = columns.nth(3).and_then(|user| user.parse().ok());
            return Ok(Some(match user.filter(|_| is_open) {
                Some(user) if user == this || user == 0 => Holder::Trusted,
                Some(user) => Holder::Other(user),
                None => Holder::Closing,
            }));
        }
    }
    Ok(None)
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// Reads an address such as `0100007F:1F90`: words of 32 bits, as the machine has them in memory.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some((address.to_canonical(), port))
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 138 1 00
   1: 0100007F:9C40 0100007F:4965 01 00000000:00000000 00:00000000 00000000  1000        0 139 1 00
   2: 0100007F:4965 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1001        0 140 1 00
   3: 0000000000000000FFFF00000100007F:4965 0000000000000000FFFF00000100007F:9C41 01 0:0 0:0 0  1002 0 141
   4: 00000000000000000000000001000000:4965 00000000000000000000000001000000:9C42 01 0:0 0:0 0  1003 0 142
   5: 0100007F:4965 0100007F:9C44 05 00000000:00000000 00:00000000 00000000     0        0 0 3 00
   6: cut off
";

    #[test]
    fn t103_the_kernel_is_asked_for_the_end_that_accepted_this_very_connection() {
        let found = |own: &str, other: &str| {
            let (own, other) = (own.parse().unwrap(), other.parse().unwrap());
            holder_in(TABLE.as_bytes(), own, other, 1002).unwrap()
        };
        // Not the listener's, and not our own end's.
        let other = Some(Holder::Other(1001));
        assert_eq!(found("127.0.0.1:40000", "127.0.0.1:18789"), other);
        let own = Some(Holder::Trusted);
        assert_eq!(found("127.0.0.1:40001", "127.0.0.1:18789"), own);
        let other = Some(Holder::Other(1003));
        assert_eq!(found("[::1]:40002", "[::1]:18789"), other);
        assert_eq!(found("127.0.0.1:40003", "127.0.0.1:18789"), None);
        let closing = Some(Holder::Closing);
        assert_eq!(found("127.0.0.1:40004", "127.0.0.1:18789"), closing);
    }

    #[test]
    fn t103_a_process_of_this_user_is_found() {
        for own in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(own) else {
                continue;
            };
            let there = listener.local_addr().unwrap();
            let stream = TcpStream::connect(there).unwrap();
            let _accepted = listener.accept().unwrap();
            assert_eq!(holder(stream.local_addr().unwrap(), there), Holder::Trusted);
        }
    }
}
