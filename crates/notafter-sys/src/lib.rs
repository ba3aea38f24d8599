//! All unsafe code of the gate: ptrace, seccomp, guest memory, the vDSO image, namespaces.
