//! The images that the engine has, for whoever resolves references.

use super::address::Address;
use super::client::Client;
use notafter_core::ImageName;
use notafter_image::Engine;
use std::cell::OnceCell;
use std::fs::File;
use std::io;

/// The images of the engine that DOCKER_HOST names, or of the usual one. It is not talked to before it is asked.
#[derive(Debug, Default)]
pub struct EngineImages {
    client: OnceCell<Client>,
}

impl EngineImages {
    fn client(&self) -> io::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::connect(&Address::from_environment()?)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Engine for EngineImages {
    fn place(&self) -> String {
        match Address::from_environment() {
            Ok(address) => address.to_string(),
            // What is wrong with it says the error of whatever is asked.
            Err(_) => std::env::var("DOCKER_HOST").unwrap_or_default(),
        }
    }

    fn find(&self, name: &ImageName) -> io::Result<Option<String>> {
        self.client()?.image_id(name.as_str())
    }

    fn save(&self, id: &str, archive: &File, most_bytes: u64) -> io::Result<()> {
        self.client()?.save(id, archive, most_bytes)
    }
}
