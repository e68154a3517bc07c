package org.megatron.mobile.detector

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/** A face box in pixels of its upright frame: left, top, width, height. It may reach outside the frame. */
data class Box(val x: Double, val y: Double, val w: Double, val h: Double) {
    val centerX: Double get() = x + w / 2
    val centerY: Double get() = y + h / 2

    /** The same box seen from an origin at (-[dx], -[dy]), in pixels. */
    fun shifted(dx: Double, dy: Double) = Box(x + dx, y + dy, w, h)

    /** The same box in a picture [factor] times as large. */
    fun scaled(factor: Double) = Box(x * factor, y * factor, w * factor, h * factor)

    /** Intersection over union with [other], in 0..1. */
    fun iou(other: Box): Double {
        val across = max(min(x + w, other.x + other.w) - max(x, other.x), 0.0)
        val down = max(min(y + h, other.y + other.h) - max(y, other.y), 0.0)
        val shared = across * down
        val union = w * h + other.w * other.h - shared
        return if (union > 0) shared / union else 0.0
    }

    /** The box [share] (0..1) of the way from this one to [other], side by side. */
    fun towards(other: Box, share: Double) = Box(
        x + share * (other.x - x), y + share * (other.y - y), w + share * (other.w - w), h + share * (other.h - h),
    )
}

/** Side in whole pixels of the square that the spec cuts around [box]: floor(margin · max(w, h) + 0.5), at least 1. */
internal fun squareSide(box: Box, margin: Double): Int = max(1, floor(margin * max(box.w, box.h) + 0.5).toInt())

/** First column (or row) of a square of [side] px centred on [center]. */
internal fun squareStart(center: Double, side: Int): Int = floor(center - side / 2.0 + 0.5).toInt()
