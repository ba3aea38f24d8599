//! Waits at sockets with a limit of their own (SO_RCVTIMEO, SO_SNDTIMEO; socket(7)). The calls that wait so are the most
//! frequent of all and have no timeout among their arguments, so they are not put before the supervisor: it looks for
//! threads that sit in one before time moves.

use super::engine::Supervisor;
use super::sleepers::Waking;
use crate::guest::{self, Call};
use crate::wait::Wait;
use notafter_sys::sockets::{self, Direction, Family};

/// Calls that can wait at a socket: which argument is its descriptor, and what for.
const CALLS: [(i64, usize, Direction); 19] = [
    (libc::SYS_accept, 0, Direction::Receive),
    (libc::SYS_accept4, 0, Direction::Receive),
    (libc::SYS_connect, 0, Direction::Send),
    (libc::SYS_preadv, 0, Direction::Receive),
    (libc::SYS_preadv2, 0, Direction::Receive),
    (libc::SYS_pwritev, 0, Direction::Send),
    (libc::SYS_pwritev2, 0, Direction::Send),
    (libc::SYS_read, 0, Direction::Receive),
    (libc::SYS_readv, 0, Direction::Receive),
    (libc::SYS_recvfrom, 0, Direction::Receive),
    (libc::SYS_recvmmsg, 0, Direction::Receive),
    (libc::SYS_recvmsg, 0, Direction::Receive),
    (libc::SYS_sendfile, 0, Direction::Send),
    (libc::SYS_sendmmsg, 0, Direction::Send),
    (libc::SYS_sendmsg, 0, Direction::Send),
    (libc::SYS_sendto, 0, Direction::Send),
    (libc::SYS_splice, 0, Direction::Receive),
    (libc::SYS_write, 0, Direction::Send),
    (libc::SYS_writev, 0, Direction::Send),
];

impl Supervisor {
    /// Notes every thread that waits at a socket with a limit and is not known yet. The kernel says what the limit is,
    /// so it does not matter how the socket came to the thread.
    pub(super) fn note_socket_waits(&mut self) {
        if !self.has_socket_timeouts {
            return;
        }
        for pid in guest::processes().unwrap_or_default() {
            for tid in guest::threads(pid).unwrap_or_default() {
                self.note_socket_wait(pid, tid);
            }
        }
    }

    fn note_socket_wait(&mut self, pid: i32, tid: i32) {
        let Some(call) = guest::blocked_in(tid) else { return };
        let Some((descriptor, direction)) = socket_of(&call) else { return };
        if self.sleepers.holds(tid) {
            return;
        }
        let Some(switches) = guest::switches(tid) else { return };
        match sockets::limit(pid, descriptor, direction) {
            Ok(Some(limit)) => {
                let connects = i64::from(call.0) == libc::SYS_connect && limit.family == Family::Internet;
                let errno = if connects { libc::EINPROGRESS } else { libc::EAGAIN };
                let wait = Wait::seen(call, -i64::from(errno), limit.length.into(), switches, &self.clock());
                self.sleepers.insert(tid, wait, Waking::Stop);
            }
            Ok(None) => {}
            Err(error) => {
                let reason = format!("whether its wait at a socket has a limit cannot be seen: {error}");
                self.ledger.fault(tid, reason);
            }
        }
    }
}

/// The descriptor at which a call waits, if that is a socket, and what for.
fn socket_of((number, args): &Call) -> Option<(i32, Direction)> {
    let (_, argument, direction) = CALLS.iter().find(|call| call.0 == i64::from(*number))?;
    // An int: the kernel, too, looks at the lower half alone.
    Some((args[*argument] as u32 as i32, *direction))
}
