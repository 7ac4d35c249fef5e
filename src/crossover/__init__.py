"""crossover: where does pretraining stop paying on your text, and is the difference real?"""
