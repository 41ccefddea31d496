//! The watch over this host's adapters: what it sees goes to the inbox.

use crate::inbox::Post;
use phalanx_model::Cluster;
use phalanx_netlink::Adapters;
use phalanx_node::Input;
use std::io;

/// Watches the adapters on the networks of `cluster`.
pub fn watch(cluster: &Cluster, post: Post) -> io::Result<Adapters> {
    Adapters::begin(cluster, move |network, up| post.input(Input::Carrier { network, up }))
}
