package browser

