"""What training costs: energy measured or modelled and tagged so, forecasts, and carbon where the grid is named."""
