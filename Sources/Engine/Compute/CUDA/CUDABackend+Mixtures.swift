import CCUDA

extension CUDABackend {
    /// The mixtures of a call, over a bank.
    struct Mixing {
        let bank: [BankLayer<Matrix>]
        let shape: BankShape
        let isBase: [Bool]
        let layers: Int
        let rooms: MixtureRooms
    }

    /// Where mixtures are; kept from call to call, so that recorded steps stay right.
    struct MixtureRooms {
        let weights: Arena.Place  // [mixtures, layers, slots]
        let low: Arena.Place  // [rows, modules * slots * rank], float32
        let mixed: Arena.Place  // the same, in the backend's format

        var bytes: Int { weights.count + low.count + mixed.count }
    }

    public func setMixtures(
        _ mixtures: [MixtureWeights], rows: [Int], bank: [BankLayer<Matrix>], shape: BankShape?,
        weights: [LayerWeights<CUDABackend>]
    ) throws(ComputeError) {
        mixing = nil
        guard let shape, let buffers, mixtures.contains(where: { !$0.isBase }) else { return }
        let layers = weights.count
        let table = mixtures.flatMap { mixture in
            mixture.isBase
                ? Array(repeating: 0, count: layers * shape.slots) : mixture.layers.flatMap { $0 }
        }
        let widest = bank.flatMap { [$0.qkv, $0.o, $0.gateUp, $0.down] }.compactMap { $0?.a.rows }.max() ?? 0
        let numbers = buffers.rows * widest
        if mixtureRooms.map({ $0.weights.count < 4 * table.count || $0.low.count < 4 * numbers }) ?? true {
            mixtureRooms = nil
            mixtureRooms = MixtureRooms(
                weights: try device.take(4 * table.count, for: "mixtures"),
                low: try device.take(4 * numbers, for: "the bank's rows"),
                mixed: try device.take(valueBytes * numbers, for: "the bank's rows"))
        }
        guard let rooms = mixtureRooms else { return }
        try upload(table, to: rooms.weights)
        mixing = Mixing(bank: bank, shape: shape, isBase: mixtures.map(\.isBase), layers: layers, rooms: rooms)
    }

    /// y += ((x A^T) mixed) B^T for each module; `target` says where a module's output lies, nil if it is not computed.
    func addBank(
        _ group: BankGroup<Matrix>?, _ layer: Int, _ x: UInt64, _ ldx: Int, isWide: Bool = false,
        target: (Int) -> (UInt64, Int)?
    ) {
        guard let group, let mixing, step.needsBank else { return }
        let columns = group.a.rows
        let stacked = mixing.shape.slots * mixing.shape.rank
        product(x, ldx, rows: step.count, group.a, into: mixing.rooms.low.address, columns, isWide: true)
        kernels?.launch(
            .mix, blocks: step.count,
            pcu_mix(
                low: mixing.rooms.low.address, out: mixing.rooms.mixed.address,
                weights: mixing.rooms.weights.address, rows: step.rows, modules: Int32(group.outputs.count),
                slots: Int32(mixing.shape.slots), rank: Int32(mixing.shape.rank),
                layer: Int32(layer), layers: Int32(mixing.layers), factors: mixing.shape.factors ? 1 : 0))
        for (module, output) in group.outputs.enumerated() {
            guard let (y, ldy) = target(output.part) else { continue }
            product(
                mixing.rooms.mixed.address + UInt64(module * stacked * valueBytes), columns, rows: step.count, output.b,
                into: y, ldy, isWide: isWide, accumulate: true)
        }
    }
}
