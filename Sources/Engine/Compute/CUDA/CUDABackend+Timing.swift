import CCUDA

/// How fast products are, by the device's own clock.
extension CUDABackend {
    private func event() -> pcu_event? {
        var event: pcu_event?
        device.queue("cuEventCreate") { $0.create_event(&event, 0) }
        device.queue("cuEventRecord") { $0.record_event(event, device.stream) }
        return event
    }

    func beginTiming() -> pcu_event? { measuresProducts ? event() : nil }

    func endTiming(_ start: pcu_event?) {
        guard let start, let end = event() else { return }
        timings.append((start, end))
    }

    /// After a wait: adds up what was measured.
    func collectTimings() {
        for (start, end) in timings {
            products.threadSeconds += seconds(start, end)
            device.queue("cuEventDestroy") { $0.destroy_event(start) }
            device.queue("cuEventDestroy") { $0.destroy_event(end) }
        }
        timings = []
    }

    private func seconds(_ start: pcu_event, _ end: pcu_event) -> Double {
        var milliseconds: Float = 0
        device.queue("cuEventElapsedTime") { $0.elapsed(&milliseconds, start, end) }
        return Double(milliseconds) * 1e-3
    }

    /// Fills places with pseudo-random numbers in [-1, 1): multiplying zeros draws less power than a model's numbers do, and
    /// the clocks go higher.
    private func scatter(over places: ArraySlice<Arena.Place>, count: Int) throws(ComputeError) {
        let uploads = try Uploads(device)
        var state: UInt64 = 1
        for place in places {
            try uploads.copy(count, valueBytes: valueBytes, to: place.address) { range, target in
                for index in 0..<range.count {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let value = Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
                    if isBF16 {
                        target.storeBytes(of: roundedToBF16(value), toByteOffset: 2 * index, as: UInt16.self)
                    } else {
                        target.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
                    }
                }
            }
        }
    }

    /// The best of several products in the backend's format, as large as the free memory allows.
    public func largeProductRate() throws(ComputeError) -> Double {
        var size = 8192
        while size > 256, 3 * size * size * valueBytes > device.arena.room { size /= 2 }
        let places = try (0..<3).map { _ throws(ComputeError) in
            try device.take(size * size * valueBytes, for: "a large product")
        }
        try scatter(over: places[..<2], count: size * size)
        let matrix = Matrix(places[0], rows: size, width: size, starts: [0])
        let (before, measured) = (products, measuresProducts)
        defer { (products, measuresProducts) = (before, measured) }
        measuresProducts = true
        var best = Double.infinity
        for _ in 0..<8 {
            products = ProductTotals()
            product(places[1].address, size, rows: size, matrix, into: places[2].address, size)
            try device.wait()
            collectTimings()
            best = min(best, products.threadSeconds)
        }
        return 2 * Double(size) * Double(size) * Double(size) / best
    }
}
