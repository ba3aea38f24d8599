//! A registry that says what a test wants it to say.

use super::super::{Failure, Registries};
use crate::{Assembly, Compression, Error, Identity, Image, ImageConfig, Layer, Resolver};
use notafter_core::{ImageName, ImageRef, UnixTime};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What a server answers a request with: the bytes of a response, or what it does with the connection.
pub(super) enum Answer {
    Bytes(Vec<u8>),
    /// A head, and then bytes without end.
    Endless(String),
}

/// A request: its method, its path, and all of its head.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) head: String,
}

pub(super) type Rule = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on loopback, until the test ends.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn new(rule: Box<Rule>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, heads) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (log, all) = (Arc::clone(&asked), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &rule, &log, &all);
            }
        });
        Self { port, asked, heads }
    }

    /// Method and path of every request since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Everything that came, since the beginning.
    pub(super) fn heard(&self) -> String {
        self.heads.lock().unwrap().concat()
    }
}

fn serve(stream: TcpStream, rule: &Rule, log: &Mutex<Vec<String>>, heads: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|len| len > 2) {}
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let asked = Asked { method: method.to_owned(), path: path.to_owned(), head: head.clone() };
    log.lock().unwrap().push(format!("{method} {path}"));
    heads.lock().unwrap().push(head.clone());
    // A client that has heard enough goes away.
    _ = match rule(&asked) {
        Answer::Bytes(bytes) => (&stream).write_all(&bytes),
        Answer::Endless(head) => {
            let mut sent = (&stream).write_all(head.as_bytes());
            while sent.is_ok() {
                sent = (&stream).write_all(&[b' '; 64 << 10]);
            }
            Ok(())
        }
    };
}

pub(super) fn response(status: &str, fields: &str, body: &[u8]) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    Answer::Bytes([head.as_bytes(), body].concat())
}

/// An image and the documents and layers of it, by digest.
pub(super) struct Stock {
    pub(super) identity: Identity,
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    /// The digest of its one layer.
    pub(super) layer: String,
}

impl Stock {
    pub(super) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut layer = Layer::new().unwrap();
        layer.file("/bin/tool", b"the content of the tool", 0o755, (0, 0)).unwrap();
        let config = ImageConfig { entrypoint: vec!["/bin/tool".to_owned()], ..ImageConfig::default() };
        let assembly = Assembly::new(config).layer(layer).compressed(Compression::Gzip);
        let identity = assembly.write_layout(None, place.path()).unwrap();
        let mut blobs = BTreeMap::new();
        for entry in fs::read_dir(place.path().join("blobs/sha256")).unwrap() {
            let path = entry.unwrap().path();
            let digest = format!("sha256:{}", path.file_name().unwrap().to_str().unwrap());
            blobs.insert(digest, fs::read(path).unwrap());
        }
        let is_layer = |(_, bytes): &(&String, &Vec<u8>)| bytes.starts_with(&[0x1f, 0x8b]);
        let layer = blobs.iter().find(is_layer).unwrap().0.clone();
        Self { identity, blobs, layer }
    }

    pub(super) fn manifest(&self) -> &str {
        self.identity.manifest.as_deref().unwrap()
    }

    /// As a registry answers, for the repository `team/tool` with the tag `1`.
    pub(super) fn answer(&self, asked: &Asked) -> Answer {
        let last = asked.path.rsplit('/').next().unwrap_or_default();
        let digest = if last == "1" { self.manifest() } else { last };
        match self.blobs.get(digest) {
            Some(_) if asked.method == "HEAD" => {
                response("200 OK", &format!("Docker-Content-Digest: {digest}\r\n"), b"")
            }
            Some(bytes) => response("200 OK", "", bytes),
            None => response("404 Not Found", "", br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        }
    }
}

pub(super) fn clock() -> UnixTime {
    UnixTime::clamped(1_900_000_000)
}

/// A cache, and files of credentials.
pub(super) struct Scene(tempfile::TempDir);

impl Scene {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn pull_with(&self, registries: Registries, reference: &str) -> Result<Image, Error> {
        let references = [ImageRef::Docker(ImageName::new(reference).unwrap())];
        let resolver = Resolver::with_cache(self.path("cache")).with_registries(registries);
        resolver.resolve(Path::new("/"), &references, &mut |_| ()).map(|mut images| images.remove(0))
    }

    /// `REFERENCE` of the server, with the credentials of `config.json`.
    pub(super) fn pull(&self, server: &Server, reference: &str) -> Result<Image, Error> {
        let credentials = self.path("config.json");
        let registries = Registries::with_files(clock, &[&credentials], &[], &[]);
        self.pull_with(registries, &format!("127.0.0.1:{}/{reference}", server.port))
    }

    /// Why the server gives nothing.
    pub(super) fn failure(&self, server: &Server, reference: &str) -> Failure {
        match self.pull(server, reference) {
            Err(Error::NotPulled { source, .. }) => *source,
            other => panic!("{other:?}"),
        }
    }

    /// Whether the cache holds neither a tree nor a layer.
    pub(super) fn kept_nothing(&self, stock: &Stock) -> bool {
        let trees = fs::read_dir(self.path("cache/images")).into_iter().flatten();
        let no_tree = trees.flatten().all(|entry| !entry.path().is_dir());
        let layers = fs::read_dir(self.path("cache/registry/layers")).into_iter().flatten();
        let hex = stock.layer.trim_start_matches("sha256:");
        no_tree && layers.count() == 0 && !self.path("cache/registry/blobs/sha256").join(hex).exists()
    }
}
