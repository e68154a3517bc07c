package org.megatron.mobile.benchmark

import org.json.JSONArray
import org.json.JSONObject

/** Resident bytes of the app's process; null where the system does not tell. */
data class ResidentMemory(val beforeLoad: Long?, val afterLoad: Long?, val peak: Long?) {
    /** Peak above the process before it loaded the model. */
    val added: Long? get() = if (peak == null || beforeLoad == null) null else maxOf(0, peak - beforeLoad)
}

/** Where the program ran. */
data class Phone(val model: String, val os: String)

/** One measured method of the bundled program: a row of `benchmarks/row.py`. */
data class BenchmarkRow(
    val artifact: String,
    val method: String,
    val sha256: String,
    val phone: Phone,
    val runtime: String,
    val runtimeVersion: String,
    val delegate: String,
    val precision: String,
    val threads: Int,
    val warmUp: Int,
    val seconds: Double,
    val callsMs: List<Double>,
    val coldLoadMs: Double,
    val firstCallMs: Double?,
    val memory: ResidentMemory,
) {
    val latency: Latency = Latency.of(callsMs)
    val iterations: Int get() = callsMs.size
    val isValid: Boolean
        get() = iterations >= BenchmarkPlan.LEAST_CALLS && seconds >= BenchmarkPlan.LEAST_SECONDS

    /** The phone was busy. */
    val isNoisy: Boolean get() = latency.p90 / latency.p50 > NOISY

    fun json(): JSONObject = JSONObject()
        .put("artifact", artifact)
        .put("method", method)
        .put("sha256", sha256)
        .put("device", "android")
        .put("device_model", phone.model)
        .put("os", phone.os)
        .put("runtime", runtime)
        .put("runtime_version", runtimeVersion)
        .put("delegate", delegate)
        .put("precision", precision)
        .put("threads", threads)
        .put("iterations", iterations)
        .put("warm_up", warmUp)
        .put("seconds", seconds)
        .put("latency_ms", written(latency))
        .put("ratio_to_anchor", JSONObject.NULL)
        .put("sustained", Sustained.of(callsMs)?.let(::written) ?: JSONObject.NULL)
        .put("cold_load_ms", coldLoadMs)
        .put("first_call_ms", firstCallMs ?: JSONObject.NULL)
        .put("peak_rss_bytes", memory.added ?: JSONObject.NULL)
        .put("memory", written(memory))
        .put("kind", "measured")
        .put("valid", isValid)
        .put("noisy", isNoisy)
        .put("missing", JSONObject().put("ratio_to_anchor", "the app holds no anchor"))

    private fun written(latency: Latency) = JSONObject()
        .put("p50", latency.p50)
        .put("p90", latency.p90)
        .put("p99", latency.p99)
        .put("min", latency.min)
        .put("mean", latency.mean)
        .put("quantiles", JSONArray(latency.quantiles))

    private fun written(sustained: Sustained) = JSONObject()
        .put("first_decile_ms", sustained.firstDecileMs)
        .put("last_decile_ms", sustained.lastDecileMs)
        .put("ratio", sustained.ratio)

    private fun written(memory: ResidentMemory): JSONObject {
        val missing = JSONObject()
            .put("arena_bytes", "the app's runtime does not tell")
            .put("weights_bytes", "the app's runtime does not tell")
        val parts = mapOf("before_load" to memory.beforeLoad, "after_load" to memory.afterLoad, "peak" to memory.peak)
        val json = JSONObject().put("arena_bytes", JSONObject.NULL).put("weights_bytes", JSONObject.NULL)
        for ((name, bytes) in parts) {
            json.put(name, bytes ?: JSONObject.NULL)
            if (bytes == null) missing.put(name, "the system does not tell")
        }
        return json.put("missing", missing)
    }

    companion object {
        /** p90 over p50 above which the phone was busy. */
        const val NOISY = 1.5

        /** The document that `python -m benchmarks --device android` reads: a list of rows. */
        fun document(rows: List<BenchmarkRow>): String = JSONArray(rows.map(BenchmarkRow::json)).toString(2)
    }
}
