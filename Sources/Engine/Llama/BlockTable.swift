/// Which blocks of the key-value cache are whose; a block may belong to several sequences that share a prefix.
struct BlockTable {
    private var free: [Int32]
    private var references: [UInt32]
    /// Blocks promised to admitted sequences and not yet taken.
    private(set) var promised = 0
    private(set) var highest = 0

    init(blocks: Int) {
        // Popped from the end: low numbers first, so that untouched memory stays untouched.
        free = (0..<Int32(blocks)).reversed()
        references = Array(repeating: 0, count: blocks)
    }

    var available: Int { free.count - promised }

    /// Sets blocks aside, so that an admitted sequence can always go on.
    mutating func promise(_ count: Int) { promised += count }

    /// Takes one of the promised blocks.
    mutating func take() -> Int32 {
        promised -= 1
        let block = free.removeLast()
        references[Int(block)] = 1
        highest = max(highest, references.count - free.count)
        return block
    }

    mutating func share(_ block: Int32) { references[Int(block)] += 1 }

    mutating func release(_ block: Int32) {
        references[Int(block)] -= 1
        if references[Int(block)] == 0 { free.append(block) }
    }

    /// Gives back promises that will not be kept.
    mutating func forgo(_ count: Int) { promised -= count }
}
