//! Just enough of AMQP 0-9-1 (amqp.org, "AMQP 0-9-1 Specification") to log in to a virtual host, and to ask again.

mod frame;
mod login;

pub(crate) use login::Login;
