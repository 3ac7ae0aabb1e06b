import CKernels

/// Threads that work on the rows of one operation; the caller is one of them.
public final class ThreadPool: @unchecked Sendable {
    /// The caller included; at least 1.
    public let threads: Int
    private let pool: OpaquePointer

    public init(threads: Int) {
        self.threads = max(1, threads)
        guard let pool = pk_pool_create(Int64(self.threads)) else { fatalError("no memory for a thread pool") }
        self.pool = pool
    }

    deinit { pk_pool_destroy(pool) }

    /// Calls `body(index, lane)` for every index below `count`, in any order; lanes number the threads.
    public func run(_ count: Int, _ body: (_ index: Int, _ lane: Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            var box = Box(body: body)
            withUnsafeMutablePointer(to: &box) { box in
                pk_pool_run(
                    pool, Int64(count),
                    { context, index, lane in
                        context!.assumingMemoryBound(to: Box.self).pointee.body(Int(index), Int(lane))
                    }, box)
            }
        }
    }

    private struct Box {
        let body: (Int, Int) -> Void
    }
}
