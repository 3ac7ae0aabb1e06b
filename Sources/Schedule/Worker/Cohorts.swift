/// Which targets of a job go through the engine together.
///
/// Small histories of many targets fill one batch, over one bank. What belongs together follows from the manifest, the
/// histories and the pool alone, so that an interrupted job finds the same cohorts again.
struct Cohorts: Equatable {
    /// Indices of targets, each once, in order; those that cannot be personalized are in none.
    let members: [[Int]]

    /// History items that fill a batch: a population multiplies them.
    static let enoughItems = 64

    /// - Parameters:
    ///   - items: history items of each target that count; nil for a target that cannot be personalized.
    ///   - sharers: how many sharers a target merges.
    ///   - pool: how many there are to choose from.
    ///   - slots: adapters in a bank before it costs more than it brings.
    init(items: [Int?], sharers: Int, pool: Int, slots: Int) {
        var members: [[Int]] = []
        var filled = 0
        for (index, count) in items.enumerated() {
            guard let count else { continue }
            let wouldHold = min(pool, ((members.last?.count ?? 0) + 1) * sharers)
            if members.isEmpty || filled + count > Self.enoughItems || wouldHold > max(slots, sharers) {
                members.append([])
                filled = 0
            }
            members[members.count - 1].append(index)
            filled += count
        }
        self.members = members
    }
}
