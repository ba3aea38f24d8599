//! Cases to events: schedules, owns cleanup, reads the host's clock.
