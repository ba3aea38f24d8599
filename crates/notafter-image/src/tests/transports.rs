//! Images as they are stored: what this crate's own assembler writes, and what is broken on purpose.

use crate::{Assembly, Compression, Error, Identity, Image, ImageConfig, Layer, Resolver, RootTree};
use notafter_core::{ImageRef, Transport};
use std::fs;
use std::path::{Path, PathBuf};

fn config() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/bin/tool".to_owned()],
        command: vec!["serve".to_owned()],
        env: vec![("A".to_owned(), "b".to_owned())],
        user: Some("33:33".to_owned()),
        workdir: Some("/srv/work".to_owned()),
        stop_signal: Some(3),
        volumes: vec!["/data".to_owned()],
        ports: vec![80],
        health: None,
    }
}

fn assembly(text: &str) -> Assembly {
    let mut base = Layer::new().unwrap();
    base.directory("/bin", 0o755, (0, 0)).unwrap();
    base.file("/bin/tool", text.as_bytes(), 0o755, (0, 0)).unwrap();
    base.file("/bin/gone", b"x", 0o644, (0, 0)).unwrap();
    let mut top = Layer::new().unwrap();
    top.whiteout("/bin/gone").unwrap();
    top.symlink("/sbin", "bin").unwrap();
    Assembly::new(config()).layer(base).layer(top)
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn archive(&self, name: &str, tag: Option<&str>, text: &str, compression: Compression) -> Identity {
        let file = fs::File::create(self.path(name)).unwrap();
        assembly(text).compressed(compression).write_archive(tag, file).unwrap()
    }

    fn resolve(&self, transport: Transport, path: &str, selector: Option<&str>) -> Result<Image, Error> {
        let selector = selector.map(str::to_owned);
        let reference = ImageRef::Stored { transport, path: PathBuf::from(path), selector };
        let resolver = Resolver::with_cache(self.path("cache"));
        let resolved = resolver.resolve(self.0.path(), &[reference], &mut |_| ());
        resolved.map(|mut images| images.remove(0))
    }
}

fn tree(image: &Image) -> &Path {
    match &image.root {
        RootTree::Tree(path) => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_image_is_the_same_by_every_transport() {
    let place = Place::new();
    let plain = place.archive("plain.tar", Some("example/tool:1"), "x", Compression::None);
    let gzip = place.archive("gzip.tar", None, "x", Compression::Gzip);
    assert_eq!(plain.id, gzip.id, "compression is no part of an image");
    assert_ne!(plain.manifest, gzip.manifest);
    assembly("x").write_layout(None, &place.path("layout")).unwrap();
    // As `skopeo copy` writes it: blobs by their digest alone.
    fs::create_dir(place.path("flat")).unwrap();
    for blob in fs::read_dir(place.path("layout/blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let name = blob.file_name();
        let is_manifest = plain.manifest.as_ref().is_some_and(|it| it.ends_with(name.to_str().unwrap()));
        let name = if is_manifest { Path::new("manifest.json") } else { Path::new(&name) };
        fs::copy(blob.path(), place.path("flat").join(name)).unwrap();
    }
    let whole = fs::read(place.path("plain.tar")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &whole).unwrap();
    fs::write(place.path("packed.tgz"), packed.finish().unwrap()).unwrap();

    for (transport, path) in [
        (Transport::DockerArchive, "plain.tar"),
        (Transport::DockerArchive, "gzip.tar"),
        (Transport::DockerArchive, "packed.tgz"),
        (Transport::OciArchive, "plain.tar"),
        (Transport::OciArchive, "gzip.tar"),
        (Transport::Oci, "layout"),
        (Transport::Dir, "flat"),
    ] {
        let image = place.resolve(transport, path, None).unwrap();
        assert_eq!(image.identity.as_ref().unwrap().id, plain.id, "{path}");
        assert_eq!(image.config, config(), "{path}");
        assert_eq!(fs::read_to_string(tree(&image).join("sbin/tool")).unwrap(), "x");
        assert!(!tree(&image).join("bin/gone").exists());
        assert!(tree(&image).join("srv/work").is_dir(), "the working directory is made");
        assert_eq!(image.remarks, [""; 0]);
        let has_manifest = image.identity.is_some_and(|identity| identity.manifest.is_some());
        assert_eq!(has_manifest, transport != Transport::DockerArchive);
    }
}

#[test]
fn an_image_is_chosen_by_name_or_number() {
    let place = Place::new();
    place.archive("a.tar", Some("example/tool:1"), "x", Compression::None);
    for transport in [Transport::DockerArchive, Transport::OciArchive] {
        for selector in [None, Some("example/tool:1"), Some("docker.io/example/tool:1"), Some("@0")] {
            place.resolve(transport, "a.tar", selector).unwrap();
        }
        for selector in ["example/tool", "@1", "@x"] {
            let error = place.resolve(transport, "a.tar", Some(selector)).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("there is no image {selector}; it holds example/tool:1")),
                "{text}"
            );
        }
    }
}

/// The archive with `from` replaced by `to`, both of one length, so that no other byte moves.
fn tampered(place: &Place, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(place.path("a.tar")).unwrap();
    let mut at = 0;
    let mut changed = 0;
    while let Some(next) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
        at += next;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        changed += 1;
    }
    assert!(changed > 0, "{from} is not in the archive");
    fs::write(place.path("a.tar"), bytes).unwrap();
}

#[test]
fn what_was_changed_is_not_what_its_digest_says() {
    for (transport, from, to) in [
        (Transport::OciArchive, "the content", "evil stuff!"),
        (Transport::DockerArchive, "the content", "evil stuff!"),
        (Transport::OciArchive, "\"serve\"", "\"ssrve\""),
        (Transport::DockerArchive, "\"serve\"", "\"ssrve\""),
    ] {
        let place = Place::new();
        place.archive("a.tar", None, "the content", Compression::None);
        tampered(&place, from, to);
        let error = place.resolve(transport, "a.tar", None).unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{transport:?} {from}: {error}");
        assert!(fs::read_dir(place.path("cache")).unwrap().all(|entry| {
            let entry = entry.unwrap();
            fs::read_dir(entry.path()).unwrap().all(|tree| !tree.unwrap().path().is_dir())
        }));
    }
}

#[test]
fn images_for_other_machines_are_refused() {
    let place = Place::new();
    place.archive("a.tar", None, "x", Compression::None);
    let here = if cfg!(target_arch = "aarch64") { "\"arm64\"" } else { "\"amd64\"" };
    tampered(&place, here, "\"mips1\"");
    // The digest is compared first where it names the configuration.
    let error = place.resolve(Transport::DockerArchive, "a.tar", None).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
}

#[test]
fn what_is_no_image_is_named() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    fs::write(place.path("text"), "no tar").unwrap();
    let text = |transport, path: &str| place.resolve(transport, path, None).unwrap_err().to_string();
    assert_eq!(text(Transport::Oci, "empty"), "oci:empty is incomplete: there is no index.json");
    assert_eq!(text(Transport::Dir, "empty"), "dir:empty is incomplete: there is no manifest.json");
    assert!(text(Transport::DockerArchive, "text").starts_with("read the archive"));
    assert!(text(Transport::OciArchive, "absent").contains("there is no"));
    fs::write(place.path("empty/manifest.json"), "{}").unwrap();
    assert_eq!(text(Transport::Dir, "empty"), "dir:empty has a manifest without configuration or layers");
    let digest = format!("sha256:{}", "a".repeat(64));
    let manifest =
        format!(r#"{{ "config": {{ "digest": "sha256:../x" }}, "layers": [{{"digest": "{digest}"}}] }}"#);
    fs::write(place.path("empty/manifest.json"), manifest).unwrap();
    assert_eq!(text(Transport::Dir, "empty"), "dir:empty is malformed: `sha256:../x` is no digest");
}
