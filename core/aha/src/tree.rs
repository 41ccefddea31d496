//! The tree: the list of producers, their factories, and below those what users make. Which object a monitor file is for.
//!
//! What is below a factory mirrors the path of the object: `fs/modFile.monFactory/etc/passwd.mon` is for `/etc/passwd`. Whether
//! there is such an object is the producer's to say.

use crate::errno::Errno;
use crate::producer::{Producer, Subject};
use crate::record::Moment;
use phalanx_types::limits::{AHA_NAME_BYTES_MAX, AHA_NODES_MAX, AHA_PATH_BYTES_MAX};
use std::collections::BTreeMap;

/// The file that lists producers.
const LIST: &[u8] = b"evProds.list";
/// How the name of a monitor file ends.
const MONITOR: &[u8] = b".mon";
/// How the name of a factory ends.
const FACTORY: &str = ".monFactory";
/// Endings that mean something here, so that no directory of a user has one.
const ENDINGS: &[&[u8]] = &[MONITOR, FACTORY.as_bytes(), b".list"];

/// A file or directory; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNo(pub u64);

/// The directory that is mounted.
pub const ROOT: NodeNo = NodeNo(1);

/// What a monitor file is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Who watches it.
    pub producer: Producer,
    /// An absolute path, the number of a process, or what an event is called.
    pub name: Vec<u8>,
}

/// Whose a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// Who may do what, without the kind of the file.
    pub mode: u32,
    /// When it was made.
    pub made: Moment,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The list of producers.
    List,
    /// The root, or what factories lie in. It is there from the beginning, and nobody makes anything in it.
    Folder,
    /// The directory of a producer.
    Factory(Producer),
    /// A directory that a user made; `path` is what it mirrors.
    Mirror {
        /// Of which factory.
        producer: Producer,
        /// An absolute path.
        path: Vec<u8>,
    },
    /// A file to wait in.
    Monitor(Object),
}

/// A file or directory.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub owner: Owner,
    /// Where it lies; the root lies in itself.
    pub parent: NodeNo,
    /// What it is called.
    pub name: Vec<u8>,
    /// What lies in it.
    pub children: BTreeMap<Vec<u8>, NodeNo>,
}

impl Node {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        match self.kind {
            Kind::List | Kind::Monitor(_) => false,
            Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. } => true,
        }
    }

    /// The producer and the path that names in this directory go on from.
    fn place(&self) -> Result<(Producer, &[u8]), Errno> {
        match &self.kind {
            Kind::List | Kind::Monitor(_) => Err(Errno::NOT_DIRECTORY),
            Kind::Folder => Err(Errno::PERM),
            Kind::Factory(producer) => Ok((*producer, b"")),
            Kind::Mirror { producer, path } => Ok((*producer, path)),
        }
    }
}

/// All files and directories.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: BTreeMap<NodeNo, Node>,
    monitors: BTreeMap<Object, NodeNo>,
    latest: NodeNo,
}

impl Tree {
    /// A tree with a factory for each producer, made at `made`.
    pub fn new(made: Moment) -> Tree {
        let mut tree = Tree { nodes: BTreeMap::new(), monitors: BTreeMap::new(), latest: ROOT };
        let fixed = |mode| Owner { mode, made, ..Owner::default() };
        let root = Node {
            kind: Kind::Folder,
            owner: fixed(0o755),
            parent: ROOT,
            name: Vec::new(),
            children: BTreeMap::new(),
        };
        tree.nodes.insert(ROOT, root);
        tree.put(ROOT, LIST, Kind::List, fixed(0o444)).expect("the tree is nearly empty");
        for producer in Producer::ALL {
            let folder = match tree.find(ROOT, producer.folder().as_bytes()) {
                Ok(folder) => folder,
                Err(_) => tree
                    .put(ROOT, producer.folder().as_bytes(), Kind::Folder, fixed(0o755))
                    .expect("the tree is nearly empty"),
            };
            let name = format!("{}{FACTORY}", producer.name());
            // As on AIX: everybody may make files here, and remove only their own.
            tree.put(folder, name.as_bytes(), Kind::Factory(*producer), fixed(0o1777))
                .expect("the tree is nearly empty");
        }
        tree
    }

    /// What `evProds.list` says: the name of each producer.
    pub fn list() -> String {
        Producer::ALL.iter().map(|producer| format!("{}\n", producer.name())).collect()
    }

    /// How many files and directories there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A file or directory.
    pub fn node(&self, number: NodeNo) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NO_ENTRY)
    }

    /// What is called so in a directory.
    pub fn find(&self, parent: NodeNo, name: &[u8]) -> Result<NodeNo, Errno> {
        let parent = self.node(parent)?;
        if !parent.is_directory() {
            return Err(Errno::NOT_DIRECTORY);
        }
        if name.len() > AHA_NAME_BYTES_MAX {
            return Err(Errno::NAME_TOO_LONG);
        }
        parent.children.get(name).copied().ok_or(Errno::NO_ENTRY)
    }

    /// What a monitor file of that name would be for.
    pub fn object(&self, parent: NodeNo, name: &[u8]) -> Result<Object, Errno> {
        let (producer, path) = self.node(parent)?.place()?;
        let stem = name.strip_suffix(MONITOR).ok_or(Errno::PERM)?;
        let name = match producer.subject() {
            Subject::Path if stem.is_empty() && !path.is_empty() => return Err(Errno::NO_DEVICE),
            Subject::Path => joined(path, stem)?,
            Subject::ProcessNumber => process_number(stem)?,
            Subject::Event if stem == producer.event().name => stem.to_vec(),
            Subject::Event => return Err(Errno::NO_DEVICE),
        };
        Ok(Object { producer, name })
    }

    /// Makes a monitor file.
    pub fn create(&mut self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<NodeNo, Errno> {
        let object = self.object(parent, name)?;
        self.put(parent, name, Kind::Monitor(object), owner)
    }

    /// Makes a directory.
    pub fn make_directory(&mut self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<NodeNo, Errno> {
        let (producer, path) = self.node(parent)?.place()?;
        match producer.subject() {
            Subject::Path => {}
            Subject::ProcessNumber | Subject::Event => return Err(Errno::PERM),
        }
        if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            return Err(Errno::NOT_SUPPORTED);
        }
        let path = joined(path, name)?;
        self.put(parent, name, Kind::Mirror { producer, path }, owner)
    }

    /// Removes a monitor file, and says which it was.
    pub fn remove(&mut self, parent: NodeNo, name: &[u8]) -> Result<NodeNo, Errno> {
        let number = self.find(parent, name)?;
        match self.node(number)?.kind {
            Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. } => Err(Errno::IS_DIRECTORY),
            Kind::List => Err(Errno::PERM),
            Kind::Monitor(_) => Ok(self.take(number)),
        }
    }

    /// Removes a directory that a user made.
    pub fn remove_directory(&mut self, parent: NodeNo, name: &[u8]) -> Result<NodeNo, Errno> {
        let number = self.find(parent, name)?;
        let node = self.node(number)?;
        match node.kind {
            Kind::List | Kind::Monitor(_) => Err(Errno::NOT_DIRECTORY),
            Kind::Folder | Kind::Factory(_) => Err(Errno::PERM),
            Kind::Mirror { .. } if !node.children.is_empty() => Err(Errno::NOT_EMPTY),
            Kind::Mirror { .. } => Ok(self.take(number)),
        }
    }

    /// Other rights to a file or directory that a user made.
    pub fn set_owner(&mut self, number: NodeNo, owner: Owner) -> Result<(), Errno> {
        let node = self.nodes.get_mut(&number).ok_or(Errno::NO_ENTRY)?;
        match node.kind {
            Kind::List | Kind::Folder | Kind::Factory(_) => Err(Errno::PERM),
            Kind::Mirror { .. } | Kind::Monitor(_) => {
                node.owner = owner;
                Ok(())
            }
        }
    }

    /// Removes the monitor file of an object that is gone, if there is one.
    pub(crate) fn forget(&mut self, object: &Object) -> Option<NodeNo> {
        let number = *self.monitors.get(object)?;
        Some(self.take(number))
    }

    fn put(&mut self, parent: NodeNo, name: &[u8], kind: Kind, owner: Owner) -> Result<NodeNo, Errno> {
        match self.find(parent, name) {
            Ok(_) => return Err(Errno::EXISTS),
            Err(Errno::NO_ENTRY) => {}
            Err(errno) => return Err(errno),
        }
        if self.nodes.len() >= AHA_NODES_MAX {
            return Err(Errno::NO_SPACE);
        }
        self.latest.0 += 1;
        if let Kind::Monitor(object) = &kind {
            self.monitors.insert(object.clone(), self.latest);
        }
        let node = Node { kind, owner, parent, name: name.to_vec(), children: BTreeMap::new() };
        self.nodes.insert(self.latest, node);
        let parent = self.nodes.get_mut(&parent).expect("it was just looked into");
        parent.children.insert(name.to_vec(), self.latest);
        Ok(self.latest)
    }

    fn take(&mut self, number: NodeNo) -> NodeNo {
        let node = self.nodes.remove(&number).expect("it was just found");
        if let Kind::Monitor(object) = &node.kind {
            self.monitors.remove(object);
        }
        let parent = self.nodes.get_mut(&node.parent).expect("a directory outlives what is in it");
        parent.children.remove(&node.name);
        number
    }
}

/// The path of `name` in `path`.
fn joined(path: &[u8], name: &[u8]) -> Result<Vec<u8>, Errno> {
    let joined = [path, b"/", name].concat();
    if joined.len() > AHA_PATH_BYTES_MAX {
        return Err(Errno::NAME_TOO_LONG);
    }
    Ok(joined)
}

fn process_number(stem: &[u8]) -> Result<Vec<u8>, Errno> {
    let canonical = str::from_utf8(stem).ok().and_then(|text| text.parse::<u32>().ok());
    let canonical = canonical.filter(|number| number.to_string().as_bytes() == stem);
    canonical.map(|_| stem.to_vec()).ok_or(Errno::NO_DEVICE)
}
