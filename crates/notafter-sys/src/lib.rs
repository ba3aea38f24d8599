//! All unsafe code of the gate: ptrace, seccomp, guest memory, the vDSO image, namespaces.
//!
//! Everything here knows *how* to do one thing to a process or to the kernel, and nothing about scenarios or why.
//! `unsafe` is denied crate-wide and allowed per file, in files whose module documentation has a `# Safety` section.
//!
//! What must never happen here: policy; a public function that a caller could use to break memory safety.

pub mod arch;
pub mod bpf;
pub mod fdpass;
pub mod fork;
pub mod limits;
pub mod maps;
pub mod memfd;
pub mod memory;
pub mod mounts;
pub mod namespaces;
pub mod notify;
pub mod open_files;
pub mod page;
pub mod processes;
pub mod signals;
pub mod sockets;
pub mod timers;
pub mod trace;
pub mod vdso;
