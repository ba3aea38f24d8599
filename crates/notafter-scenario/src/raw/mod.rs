//! The file format: what may stand where. Comments on fields are the descriptions that editors show.
//!
//! Nothing here is checked beyond its shape; see `resolve`.

mod build;
mod check;
mod credential;
mod file;
mod image;
mod planned;
mod policy;
mod probe;
mod rotation;
mod scenario;
mod service;

pub(crate) use build::{KEYS as BUILD_KEYS, RawBuild};
pub(crate) use check::{
    RawCapture, RawCheck, RawCheckStep, RawExpectation, RawMatches, RawRejected, RawWorks, Stranger,
};
pub(crate) use credential::{RawCa, RawCredential, RawJwt, RawValidity, RawX509};
pub(crate) use file::{RawFile, RawFiles, RawMount};
pub(crate) use image::RawImage;
pub(crate) use planned::is_planned;
pub(crate) use policy::{RawCause, RawPolicy, RawReplay, RawShared, RawWaiver};
pub(crate) use probe::{RawAmqp, RawGreet, RawGrpc, RawHttps, RawProbe, RawSql, RawTls};
pub(crate) use rotation::{RawReload, RawRotation, RawServed};
pub(crate) use scenario::RawScenario;
pub(crate) use service::{RawReady, RawSecret, RawService, RawVolume};
