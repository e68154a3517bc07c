package org.megatron.mobile.ui

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.util.AttributeSet
import android.view.LayoutInflater
import android.view.View
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import org.megatron.mobile.R

/** The way from screen to screen. Where four names do not fit beside one another they stand two by two. */
class NavigationBar(context: Context, attributes: AttributeSet? = null) : LinearLayout(context, attributes) {
    private class Tab(val screen: Class<out Activity>, val icon: Int, val name: Int)

    private val tabs = listOf(
        Tab(CheckActivity::class.java, R.drawable.icon_check, R.string.tab_check),
        Tab(LiveActivity::class.java, R.drawable.icon_live, R.string.tab_live),
        Tab(BenchmarkActivity::class.java, R.drawable.icon_benchmark, R.string.tab_benchmark),
        Tab(AboutActivity::class.java, R.drawable.icon_about, R.string.tab_about),
    )

    init {
        orientation = VERTICAL
        setBackgroundColor(context.getColor(R.color.surface))
        val isLarge = resources.configuration.fontScale > MOST_SCALE_IN_ONE_ROW && resources.configuration.screenWidthDp < WIDE_DP
        for (row in tabs.chunked(if (isLarge) 2 else tabs.size)) addRow(row, isBeside = isLarge || isShallow())
    }

    private fun isShallow() = resources.configuration.screenHeightDp < SHALLOW_DP

    private fun addRow(row: List<Tab>, isBeside: Boolean) {
        val line = LinearLayout(context)
        addView(line, LayoutParams(LayoutParams.MATCH_PARENT, LayoutParams.WRAP_CONTENT))
        for (tab in row) {
            val view = LayoutInflater.from(context).inflate(R.layout.tab, line, false) as LinearLayout
            view.findViewById<ImageView>(R.id.tab_icon).setImageResource(tab.icon)
            val name = view.findViewById<TextView>(R.id.tab_name)
            name.setText(tab.name)
            if (isBeside) beside(view, name)
            view.isSelected = context.javaClass == tab.screen
            view.contentDescription = resources.getString(tab.name)
            view.setOnClickListener { if (!it.isSelected) go(tab.screen) }
            line.addView(view)
        }
    }

    private fun beside(view: LinearLayout, name: View) {
        view.orientation = HORIZONTAL
        view.minimumHeight = (LEAST_TOUCH_DP * resources.displayMetrics.density).toInt()
        (name.layoutParams as LayoutParams).marginStart = (GAP_DP * resources.displayMetrics.density).toInt()
    }

    private fun go(screen: Class<out Activity>) {
        context.startActivity(Intent(context, screen).addFlags(Intent.FLAG_ACTIVITY_REORDER_TO_FRONT))
        @Suppress("DEPRECATION") // Its successor needs API 34.
        (context as Activity).overridePendingTransition(0, 0)
    }

    private companion object {
        const val MOST_SCALE_IN_ONE_ROW = 1.35f
        const val WIDE_DP = 560
        const val SHALLOW_DP = 480
        const val LEAST_TOUCH_DP = 48
        const val GAP_DP = 8
    }
}
