mod hostile;
mod logins;
mod pulls;
mod server;
