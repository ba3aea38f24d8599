//! What comes of a registry that does as it should.

use super::server::{Answer, Asked, Scene, Server, Stock, response};
use crate::digest::Digest;
use crate::registry::Place;
use crate::{Error, RootTree};
use notafter_core::ImageName;
use std::fs;
use std::sync::Arc;

#[test]
fn an_image_is_pulled_once_and_told_by_its_digests() {
    let stock = Arc::new(Stock::new());
    let of_server = Arc::clone(&stock);
    let (server, scene) = (Server::new(Box::new(move |asked| of_server.answer(asked))), Scene::new());
    let image = scene.pull(&server, "team/tool:1").unwrap();
    let RootTree::Tree(tree) = &image.root else { panic!("{image:?}") };
    assert_eq!(fs::read_to_string(tree.join("bin/tool")).unwrap(), "the content of the tool");
    assert_eq!(image.identity.as_ref(), Some(&stock.identity));
    assert_eq!(image.config.entrypoint, ["/bin/tool"]);
    let told = format!(
        "docker://127.0.0.1:{0}/team/tool:1 is {1} of the registry 127.0.0.1:{0}",
        server.port,
        stock.manifest()
    );
    assert!(image.remarks.contains(&told), "{:?}", image.remarks);
    assert_eq!(server.asked().len(), 4);
    // The tag could have moved; what it leads to is here.
    assert_eq!(scene.pull(&server, "team/tool:1").unwrap(), image);
    assert_eq!(server.asked(), ["HEAD /v2/team/tool/manifests/1"]);
    // Of a digest nothing is asked.
    let by_digest = scene.pull(&server, &format!("team/tool@{}", stock.manifest())).unwrap();
    assert_eq!((by_digest.root, server.asked().len()), (image.root, 0));
}

#[test]
fn what_a_killed_pull_left_does_not_count_and_goes() {
    let stock = Stock::new();
    let (layer, id) = (stock.layer.clone(), stock.identity.id.clone());
    let (server, scene) = (Server::new(Box::new(move |asked| stock.answer(asked))), Scene::new());
    let left = scene.path("cache/registry/layers").join(id.trim_start_matches("sha256:"));
    let half = left.join("blobs/sha256").join(layer.trim_start_matches("sha256:"));
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, "half of it").unwrap();
    scene.pull(&server, "team/tool:1").unwrap();
    assert!(!left.exists());
}

#[test]
fn a_registry_that_tells_no_digest_is_asked_for_the_manifest() {
    let stock = Stock::new();
    let rule = move |asked: &Asked| match asked.method.as_str() {
        "HEAD" => response("405 Method Not Allowed", "", b""),
        _ => stock.answer(asked),
    };
    let (server, scene) = (Server::new(Box::new(rule)), Scene::new());
    scene.pull(&server, "team/tool:1").unwrap();
}

#[test]
fn bodies_in_chunks_and_until_the_end_are_taken() {
    let stock = Stock::new();
    let rule = move |asked: &Asked| match (stock.answer(asked), asked.path.contains("/blobs/")) {
        (Answer::Bytes(bytes), true) => {
            let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let (first, second) = bytes[at..].split_at(7);
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for piece in [first, second] {
                answer.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                answer.extend([piece, b"\r\n"].concat());
            }
            Answer::Bytes([answer.as_slice(), b"0\r\n\r\n"].concat())
        }
        (Answer::Bytes(bytes), false) if asked.method == "GET" => {
            let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            Answer::Bytes([b"HTTP/1.0 200 OK\r\n\r\n", &bytes[at..]].concat())
        }
        (answer, _) => answer,
    };
    let (server, scene) = (Server::new(Box::new(rule)), Scene::new());
    scene.pull(&server, "team/tool:1").unwrap();
}

#[test]
fn of_an_index_the_image_of_this_machine_is_pulled() {
    let mut stock = Stock::new();
    let here = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let index = |architecture: &str, digest: &str| {
        let absent = format!("sha256:{}", "0".repeat(64));
        format!(
            r#"{{"schemaVersion":2,"manifests":[
            {{"digest":"{absent}","size":1,"platform":{{"os":"linux","architecture":"mips1"}}}},
            {{"digest":"{digest}","size":1,"platform":{{"os":"linux","architecture":"{architecture}"}}}}]}}"#
        )
        .into_bytes()
    };
    let (fitting, other) = (index(here, stock.manifest()), index("s390x", stock.manifest()));
    let names = [Digest::of(&fitting).to_string(), Digest::of(&other).to_string()];
    stock.blobs.insert(names[0].clone(), fitting);
    stock.blobs.insert(names[1].clone(), other);
    let manifest = stock.identity.manifest.clone();
    let (server, scene) = (Server::new(Box::new(move |asked| stock.answer(asked))), Scene::new());
    let image = scene.pull(&server, &format!("team/tool@{}", names[0])).unwrap();
    assert_eq!(image.identity.unwrap().manifest, manifest);
    // Both digests are told: that of the index is the one people see.
    assert!(image.remarks.iter().any(|remark| remark.contains(&names[0])), "{:?}", image.remarks);
    let error = scene.pull(&server, &format!("team/tool@{}", names[1])).unwrap_err();
    assert!(
        matches!(&error, Error::OtherPlatform { made_for, .. } if made_for == "linux/mips1, linux/s390x")
    );
}

#[test]
fn references_lead_where_docker_leads_them() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let at = format!("nginx:1@{digest}");
    for (text, host, repository, tag) in [
        ("nginx", "docker.io", "library/nginx", Some("latest")),
        ("team/app:2", "docker.io", "team/app", Some("2")),
        ("docker.io/nginx", "docker.io", "library/nginx", Some("latest")),
        ("localhost/app", "localhost", "app", Some("latest")),
        ("registry.example:5000/a/b/c:x", "registry.example:5000", "a/b/c", Some("x")),
        (at.as_str(), "docker.io", "library/nginx", Some("1")),
    ] {
        let place = Place::of(&ImageName::new(text).unwrap()).unwrap();
        let found = (place.host.as_str(), place.repository.as_str(), place.tag.as_deref());
        assert_eq!(found, (host, repository, tag), "{text}");
        assert_eq!(place.digest.is_some(), text.contains('@'));
    }
    assert_eq!(Place::of(&ImageName::new(digest).unwrap()), None);
}
