extension MergedAdapter {
    /// The adapter as a PEFT folder's files, by name; equal adapters give equal bytes.
    ///
    /// - Parameters:
    ///   - baseName: what the adapter must be loaded onto, as PEFT's `base_model_name_or_path`.
    ///   - card: the model card, Markdown; never with text of a history.
    public func files(baseName: String, card: String) throws(CheckpointError) -> [(name: String, bytes: [UInt8])] {
        var tensors: [Safetensors.Entry] = []
        for site in pairs.keys.sorted() {
            let shape = shapes[site]!
            tensors.append(.init("\(site.peftName).lora_A.weight", [rank, shape.input], pairs[site]!.a))
            tensors.append(.init("\(site.peftName).lora_B.weight", [shape.out, rank], pairs[site]!.b))
        }
        for tensor in tensors where !tensor.values.allSatisfy(\.isFinite) {
            throw CheckpointError(
                .notFinite, tensor.name, found: "NaN or infinity in the merge", remedy: "lower the weights' bound")
        }
        return [
            ("README.md", Array(card.utf8)),
            ("adapter_config.json", Array(configuration(baseName: baseName).utf8)),
            ("adapter_model.safetensors", Safetensors.encoded(tensors)),
        ]
    }

    /// A model card: what the adapter is, what it applies to, how to load it.
    ///
    /// - Parameter taskAdapter: SHA-256 of the task adapter that must be merged into the base first, if any.
    public func card(baseName: String, taskAdapter: String? = nil) -> String {
        let target =
            taskAdapter.map { "`\(printable(baseName))` with the task adapter of SHA-256 `\($0)` merged into it" }
            ?? "`\(printable(baseName))`"
        return """
            ---
            base_model: \(quoted(baseName))
            library_name: peft
            tags:
            - lora
            ---

            # A personalized adapter

            A LoRA adapter of rank \(rank) in float32. `primed` merged it from other users' adapters ("\(merge.rawValue)")
            with weights that were evolved for one user.

            It applies to \(target).

            ```python
            from peft import PeftModel
            model = PeftModel.from_pretrained(base, "path/of/this/folder")
            ```

            """
    }

    /// The small, old subset of PEFT's configuration: older readers abort on unknown keys, newer ones fill in the rest.
    /// lora_alpha equals r, so that no reader can scale the adapter wrongly.
    private func configuration(baseName: String) -> String {
        let modules = Set(pairs.keys.map(\.module)).sorted().map { quoted($0.rawValue) }
        let fields = [
            ("alpha_pattern", "{}"), ("base_model_name_or_path", quoted(baseName)), ("bias", quoted("none")),
            ("fan_in_fan_out", "false"), ("inference_mode", "true"), ("init_lora_weights", "true"),
            ("lora_alpha", "\(rank)"), ("lora_dropout", "0.0"), ("modules_to_save", "null"),
            ("peft_type", quoted("LORA")), ("r", "\(rank)"), ("rank_pattern", "{}"), ("revision", "null"),
            ("target_modules", "[\(modules.joined(separator: ", "))]"), ("task_type", quoted("CAUSAL_LM")),
            ("use_dora", "false"), ("use_rslora", "false"),
        ]
        return "{\n" + fields.map { "  \(quoted($0.0)): \($0.1)" }.joined(separator: ",\n") + "\n}\n"
    }
}
