//! Servers that others wrote, under the clock and across jumps: `cargo xtask servers` without those that take long to
//! start. `docs/servers.md` has the table.

use crate::needs::{can_run_with, repository};
use notafter_backend::Embedded;
use notafter_core::{ClockReading, UnixTime};
use std::path::Path;
use xtask::servers::{Server, Trial, run};

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

/// A year ahead, 90 days later and set a year ahead again it must answer, tell the time that its clock shows, and end
/// by itself.
fn lives_and_tells_the_time(name: &str) {
    let server = Server::named(name).unwrap();
    if !can_run_with(server.needs) {
        return;
    }
    let backend = Embedded::with_executable(Path::new(env!("CARGO_BIN_EXE_notafter")), host_clock).unwrap();
    let fixtures = repository().join("fixtures/servers");
    let told = run(&Trial { server, fixtures: &fixtures, backend: &backend }).unwrap();
    assert!(told.proven > 1, "{told:?}");
}

macro_rules! servers {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            lives_and_tells_the_time(stringify!($name));
        }
    )*};
}

servers! { etcd mariadb mosquitto nginx openssh postgresql redis }
