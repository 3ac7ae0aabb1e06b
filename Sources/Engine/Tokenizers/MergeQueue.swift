/// Merges neighbouring symbols by priority until none merges: the loop of every byte-pair encoding.
///
/// Symbols are a linked list and candidate pairs a heap, so a long run of letters takes n log n steps.
struct MergeQueue {
    private struct Candidate {
        var priority: Double
        var left: Int32
        var right: Int32
        /// Lengths when the candidate was found; a symbol that grew since makes it stale.
        var length: Int32
        var id: Int32
    }

    /// A symbol: a stretch of the text and the id that it has so far, -1 for none.
    struct Symbol {
        var start: Int32
        var length: Int32
        var id: Int32
        fileprivate var previous: Int32 = -1
        fileprivate var next: Int32 = -1

        init(start: Int, length: Int, id: Int32) {
            self.start = Int32(start)
            self.length = Int32(length)
            self.id = id
        }
    }

    private var heap: [Candidate] = []

    /// Merges `symbols` in place of the list and returns what is left, in order.
    ///
    /// - Parameter pair: the priority (smaller first; equal ones leftmost first) and the id of two neighbours' union,
    ///   nil if they do not merge.
    static func merge(
        _ symbols: [Symbol], pair: (Symbol, Symbol) -> (priority: Double, id: Int32)?
    ) -> [Symbol] {
        guard symbols.count > 1 else { return symbols }
        var symbols = symbols
        for index in symbols.indices {
            symbols[index].previous = Int32(index) - 1
            symbols[index].next = index + 1 < symbols.count ? Int32(index) + 1 : -1
        }
        var queue = MergeQueue()
        for index in 0..<(symbols.count - 1) { queue.consider(Int32(index), Int32(index) + 1, symbols, pair) }
        while let top = queue.pop() {
            let (left, right) = (Int(top.left), Int(top.right))
            guard symbols[left].length > 0, symbols[right].length > 0, symbols[left].next == top.right,
                symbols[left].length + symbols[right].length == top.length
            else { continue }
            symbols[left].length = top.length
            symbols[left].id = top.id
            symbols[right].length = 0
            symbols[left].next = symbols[right].next
            if symbols[right].next >= 0 { symbols[Int(symbols[right].next)].previous = top.left }
            if symbols[left].previous >= 0 { queue.consider(symbols[left].previous, top.left, symbols, pair) }
            if symbols[left].next >= 0 { queue.consider(top.left, symbols[left].next, symbols, pair) }
        }
        return symbols.filter { $0.length > 0 }
    }

    private mutating func consider(
        _ left: Int32, _ right: Int32, _ symbols: [Symbol], _ pair: (Symbol, Symbol) -> (priority: Double, id: Int32)?
    ) {
        let (a, b) = (symbols[Int(left)], symbols[Int(right)])
        guard let found = pair(a, b) else { return }
        push(
            Candidate(
                priority: found.priority, left: left, right: right, length: a.length + b.length, id: found.id))
    }

    private static func before(_ a: Candidate, _ b: Candidate) -> Bool {
        (a.priority, a.left) < (b.priority, b.left)
    }

    private mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.before(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() -> Candidate? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if Self.before(heap[child], heap[least]) { least = child }
            }
            if least == parent { return top }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
