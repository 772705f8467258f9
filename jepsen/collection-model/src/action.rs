/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "fields say of which one by its number")]
pub enum Action {
    /// An upload begins by the cluster group's map.
    Begin { session: usize },
    /// An upload puts a chunk that its node lacks.
    Store { session: usize, chunk: usize },
    /// An upload asks for a chunk that its node has.
    Present { session: usize, chunk: usize },
    /// An upload becomes a manifest of a repository.
    Commit { session: usize, repository: usize },
    /// An upload ends without a commit.
    Abort { session: usize },
    /// A repository gets the manifests of another of its slot.
    Fork { from: usize, to: usize },
    /// A repository's manifests are removed.
    Empty { repository: usize },
    /// A deletion's first step, in the group.
    Seal { repository: usize },
    /// A deletion's second step, in SQL.
    Delete { repository: usize },
    /// An undeletion's first step, in SQL.
    Undelete { repository: usize },
    /// An undeletion's second step, in the group.
    Unseal { repository: usize },
    /// A purge's first step, in SQL.
    Purge { repository: usize },
    /// A purge's second step, in the group.
    Remove { repository: usize },
    /// The cluster group's generation grows.
    Advance,
    /// A data group takes the barrier of the cluster group's generation.
    Barrier { group: usize },
    /// The cluster group's map changes.
    ChangeMap,
    /// A data group takes the cluster group's map.
    Adopt { group: usize },
    /// A slot goes to the other group.
    Move { slot: usize },
    /// A node takes the cluster group's map and generation.
    Learn { node: usize },
    /// A node lists the next repository.
    List { node: usize },
    /// A node lists the next repository as the slot's last owner has it.
    ListLeft { node: usize },
    /// A node drops a chunk.
    Drop { node: usize, chunk: usize },
    /// A node decides to drop a chunk.
    Condemn { node: usize, chunk: usize },
    /// A node asks the placed node for a chunk that it has itself.
    Confirm { node: usize, chunk: usize },
    /// A node fetches a chunk that it should hold.
    Repair { node: usize, chunk: usize },
    /// A node starts again and has lost its touches.
    Restart { node: usize },
    /// A node that the map has no more is switched off.
    Leave { node: usize },
}
