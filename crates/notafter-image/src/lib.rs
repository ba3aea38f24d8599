//! Root trees of images: cargo builds, unpacked trees and tars, the host.
